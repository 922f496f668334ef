package audit

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Query asks for records.
type Query struct {
	After     int64 // sequence numbers above this one; 0 for all
	Before    int64 // and below this one; 0 for all
	From, To  time.Time
	Principal string
	Service   string
	Action    string
	RequestID string
	Outcome   string // success or failure; empty for both
	Status    int    // 0 for all
	Ascending bool   // the oldest first
	Limit     int
}

const (
	defaultResults = 100
	maxResults     = 1000
	exportTimeout  = time.Hour
)

// FailureStatus is the least status of a call that failed. One that never ended has none.
const FailureStatus = 400

type filter struct {
	StartTime int64  `query:"start_time"` // milliseconds since 1970
	EndTime   int64  `query:"end_time"`
	Principal string `query:"user_name"`
	Service   string `query:"service_name"`
	Action    string `query:"action_name"`
	RequestID string `query:"request_id"`
	Outcome   string `query:"outcome"`
	Status    int    `query:"status_code"`
}

func (f filter) query() Query {
	q := Query{
		Principal: f.Principal, Service: f.Service, Action: f.Action, RequestID: f.RequestID, Outcome: f.Outcome, Status: f.Status,
	}
	if f.StartTime > 0 {
		q.From = time.UnixMilli(f.StartTime)
	}
	if f.EndTime > 0 {
		q.To = time.UnixMilli(f.EndTime)
	}
	return q
}

// Validate refuses what makes no sense.
func (f filter) Validate() error {
	switch f.Outcome {
	case "", "success", "failure":
		return nil
	}
	return endpoint.Invalid("The value of 'outcome' must be success or failure.")
}

type listRequest struct {
	filter

	After      int64  `query:"after_sequence"`
	Order      string `query:"order"` // desc, or asc
	MaxResults int    `query:"max_results"`
	PageToken  string `query:"page_token"`
}

type listResponse struct {
	Records  []ExportLine `json:"records"`
	NextPage string       `json:"next_page_token,omitempty"`
}

// ExportLine is a record as it is shown: the text that was hashed, and its place in the chain.
type ExportLine struct {
	Sequence int64           `json:"sequence"`
	Previous *Hash           `json:"previous,omitempty"` // where all records are exported
	Hash     Hash            `json:"hash"`
	Record   json.RawMessage `json:"record"`
}

// Routes are how the log is read.
func Routes(src Source) []endpoint.Route {
	r := reader{src}
	return []endpoint.Route{
		{
			Method: http.MethodGet, Path: "/api/2.0/tarn/audit", Access: endpoint.Admins, Service: "audit", Action: "list",
			Summary: "Records of the audit log, the newest first", Do: endpoint.JSON(r.list),
		},
		{
			Method: http.MethodGet, Path: "/api/2.0/tarn/audit/export", Access: endpoint.Admins, Service: "audit", Action: "export",
			Summary: "The audit log as NDJSON, the oldest first", Timeout: exportTimeout, Do: endpoint.Raw(r.export),
		},
	}
}

type reader struct{ src Source }

func (r reader) list(ctx context.Context, in listRequest) (listResponse, error) {
	q := in.query()
	q.After, q.Limit = in.After, in.MaxResults
	switch in.Order {
	case "", "desc":
	case "asc":
		q.Ascending = true
	default:
		return listResponse{}, endpoint.Invalid("The value of 'order' must be asc or desc.")
	}
	if q.Limit < 0 || q.Limit > maxResults {
		return listResponse{}, endpoint.Invalid("The value of 'max_results' must be between 0 and 1000.")
	}
	if q.Limit == 0 {
		q.Limit = defaultResults
	}
	if in.PageToken != "" {
		n, err := strconv.ParseInt(in.PageToken, 10, 64)
		if err != nil || n < 1 {
			return listResponse{}, endpoint.Invalid("The value of 'page_token' is not one of a page before.")
		}
		if q.Ascending {
			q.After = max(q.After, n)
		} else {
			q.Before = n
		}
	}
	lines, err := r.src.Lines(ctx, q)
	if err != nil {
		return listResponse{}, err
	}
	out := listResponse{Records: make([]ExportLine, len(lines))}
	for i, line := range lines {
		out.Records[i] = ExportLine{Sequence: line.Sequence, Hash: line.Hash, Record: line.Text}
	}
	if len(lines) == q.Limit {
		out.NextPage = strconv.FormatInt(lines[len(lines)-1].Sequence, 10)
	}
	return out, nil
}

// export writes the records that there are now. Those of all calls can be verified by who has them.
func (r reader) export(w http.ResponseWriter, req *http.Request, c *endpoint.Call) error {
	var in filter
	if err := endpoint.DecodeQuery(req, &in); err != nil {
		return err
	}
	c.Params = map[string]any{"filter": req.URL.RawQuery}
	if err := in.Validate(); err != nil {
		return err
	}
	start, head, err := r.src.Bounds(req.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	q := in.query()
	q.After, q.Before, q.Ascending, q.Limit = start.Sequence, head.Sequence+1, true, maxResults
	previous := start.Hash
	for {
		lines, err := r.src.Lines(req.Context(), q)
		if err != nil {
			return err
		}
		for _, line := range lines {
			shown := ExportLine{Sequence: line.Sequence, Hash: line.Hash, Record: line.Text}
			if in == (filter{}) {
				before := previous
				shown.Previous, previous = &before, line.Hash
			}
			if err := out.Encode(shown); err != nil {
				return err
			}
		}
		if len(lines) < q.Limit {
			return nil
		}
		q.After = lines[len(lines)-1].Sequence
	}
}
