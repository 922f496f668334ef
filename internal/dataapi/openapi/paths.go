package openapi

import "github.com/tarn-data/tarn/internal/dataapi/schema"

// path is what can be done at one.
type path struct {
	Get    *operation `json:"get,omitempty"`
	Post   *operation `json:"post,omitempty"`
	Patch  *operation `json:"patch,omitempty"`
	Delete *operation `json:"delete,omitempty"`
}

type operation struct {
	Tags        []string            `json:"tags"`
	Summary     string              `json:"summary,omitempty"`
	Description string              `json:"description,omitempty"`
	Produces    []string            `json:"produces,omitempty"`
	Parameters  []argument          `json:"parameters,omitempty"`
	Responses   map[string]response `json:"responses"`
}

type response struct {
	Description string `json:"description"`
	Schema      *value `json:"schema,omitempty"`
}

func ok() map[string]response { return map[string]response{"200": {Description: "OK"}} }

func created() map[string]response { return map[string]response{"201": {Description: "Created"}} }

func noContent() map[string]response { return map[string]response{"204": {Description: "No Content"}} }

// Media types, as the document names them.
const (
	mediaJSON             = "application/json"
	mediaSingular         = "application/vnd.pgrst.object+json"
	mediaSingularStripped = "application/vnd.pgrst.object+json;nulls=stripped"
	mediaCSV              = "text/csv"
	mediaOpenAPI          = "application/openapi+json"
)

func dataTypes() []string {
	return []string{mediaJSON, mediaSingularStripped, mediaSingular, mediaCSV}
}

func paths(in Input) ordered[path] {
	var out ordered[path]
	out.set("/", path{Get: &operation{
		Tags:      []string{"Introspection"},
		Summary:   "OpenAPI description (this document)",
		Produces:  []string{mediaOpenAPI, mediaJSON},
		Responses: ok(),
	}})
	for _, r := range in.Relations {
		out.set("/"+r.Name, relationPath(r))
	}
	for _, r := range in.Routines {
		out.set("/rpc/"+r.Name, routinePath(r, in.SearchPath))
	}
	return out
}

func relationPath(r *schema.Relation) path {
	filters := make([]string, len(r.Columns))
	for i := range r.Columns {
		filters[i] = filterName(r, &r.Columns[i])
	}
	filtered := func(names ...string) []argument { return append(refs(filters...), refs(names...)...) }
	do := func(arguments []argument, answers map[string]response) *operation {
		o := &operation{Tags: []string{r.Name}, Parameters: arguments, Responses: answers}
		o.Summary, o.Description = splitComment(r.Description)
		return o
	}
	p := path{Get: do(
		filtered("select", "order", "range", "rangeUnit", "offset", "limit", "preferCount"),
		map[string]response{
			"200": {Description: "OK", Schema: &value{Type: arrayType, Items: definitionRef(r.Name)}},
			"206": {Description: "Partial Content"},
		},
	)}
	if r.Insertable || r.Updatable || r.Deletable {
		p.Post = do(refs(bodyName(r), "select", "preferPost"), created())
		p.Patch = do(filtered(bodyName(r), "preferReturn"), noContent())
		p.Delete = do(filtered("preferReturn"), noContent())
	}
	return p
}
