// Package workspaceconf provides the workspace's settings: a value for each of a set of keys. It doesn't know what the
// settings do, nor where they are kept.
package workspaceconf

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// EnableIPAccessLists is the key that has IP access lists enforced.
const EnableIPAccessLists = "enableIpAccessLists"

// MaxTokenLifetimeDays is the key that limits the life of personal access tokens.
const MaxTokenLifetimeDays = "maxTokenLifetimeDays"

// kind is what the values of a key are.
type kind uint8

const (
	boolean kind = iota
	number
)

// known are the keys.
func known() map[string]kind {
	return map[string]kind{
		EnableIPAccessLists: boolean, MaxTokenLifetimeDays: number,
		"enableTokensConfig": boolean, "enableWorkspaceFilesystem": boolean, "enableWebTerminal": boolean,
		"enableDbfsFileBrowser": boolean, "enableExportNotebook": boolean, "enableNotebookTableClipboard": boolean,
		"enableResultsDownloading": boolean, "enableUploadDataUis": boolean, "enableProjectTypeInWorkspace": boolean,
		"enableDcs": boolean, "enableGp3": boolean, "enableHlsRuntime": boolean, "enableJobViewAcls": boolean,
		"enableDeprecatedGlobalInitScripts": boolean, "enableDeprecatedClusterNamedInitScripts": boolean,
		"enableProjectsAllowList": boolean, "enableLibraryAndInitScriptOnSharedCluster": boolean,
		"enableNotebookGitVersioning": boolean, "enableVerboseAuditLogs": boolean, "enforceUserIsolation": boolean,
		"enforceClusterViewAcls": boolean, "enforceWorkspaceViewAcls": boolean,
		"mlflowModelServingEndpointCreationEnabled": boolean, "mlflowRunArtifactDownloadEnabled": boolean,
		"mlflowModelRegistryEmailNotificationsEnabled": boolean, "rStudioUserDefaultHomeBase": boolean,
		"storeInteractiveNotebookResultsInCustomerAccount": boolean,
	}
}

// Store keeps the settings.
type Store interface {
	WorkspaceConf(ctx context.Context) (map[string]string, error)
	SetWorkspaceConf(ctx context.Context, values map[string]string) error
}

// Check may refuse a value of a key, before it is set.
type Check func(ctx context.Context, value string) error

// Service serves the settings.
type Service struct {
	store  Store
	checks map[string]Check
	keys   map[string]kind
}

// New makes a service. Checks are by key.
func New(store Store, checks map[string]Check) *Service {
	return &Service{store: store, checks: checks, keys: known()}
}

// Routes are the service's.
func (s *Service) Routes() []endpoint.Route {
	row := func(method, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: "/api/2.0/workspace-conf", Also: []string{"/api/2.0/preview/workspace-conf"},
			Service: "workspaceConf", Action: action, Summary: summary, Access: endpoint.Admins, Do: do,
		}
	}
	return []endpoint.Route{
		row(http.MethodGet, "get", "Show settings of the workspace", endpoint.JSON(s.get)),
		row(http.MethodPatch, "update", "Change settings of the workspace", endpoint.JSON(s.update)),
	}
}

type getInput struct {
	Keys string `query:"keys" json:"-"`
}

// get shows the settings that are asked for; null where there is no value.
func (s *Service) get(ctx context.Context, in getInput) (map[string]*string, error) {
	values, err := s.store.WorkspaceConf(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]*string{}
	for key := range strings.SplitSeq(in.Keys, ",") {
		key = strings.TrimSpace(key)
		if _, ok := s.keys[key]; !ok {
			return nil, invalidKeys(key)
		}
		out[key] = nil
		if v, ok := values[key]; ok {
			out[key] = &v
		} else if key == EnableIPAccessLists {
			off := "false"
			out[key] = &off
		}
	}
	return out, nil
}

func invalidKeys(keys ...string) error {
	const longest = 200
	list, err := json.Marshal(keys)
	if err != nil || len(list) > longest {
		list = []byte("[…]")
	}
	return endpoint.Invalid("Invalid keys: " + string(list))
}

// value is a setting as text, also where it was sent as a boolean or a number.
type value string

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, (*string)(v))
	}
	*v = value(text)
	return nil
}

func (s *Service) update(ctx context.Context, in map[string]value) (endpoint.Response, error) {
	set := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		k, ok := s.keys[key]
		if !ok {
			return endpoint.Response{}, invalidKeys(key)
		}
		text := string(in[key])
		if err := k.validate(key, text); err != nil {
			return endpoint.Response{}, err
		}
		if check := s.checks[key]; check != nil {
			if err := check(ctx, text); err != nil {
				return endpoint.Response{}, err
			}
		}
		set[key] = text
	}
	if len(set) == 0 {
		return endpoint.Response{}, endpoint.Invalid("There is no key to set.")
	}
	return endpoint.Response{Status: http.StatusNoContent}, s.store.SetWorkspaceConf(ctx, set)
}

func (k kind) validate(key, text string) error {
	switch k {
	case boolean:
		if text != "true" && text != "false" {
			return endpoint.Invalid("The value of '" + key + "' must be \"true\" or \"false\".")
		}
	case number:
		if n, err := strconv.Atoi(text); text != "" && (err != nil || n < 0) {
			return endpoint.Invalid("The value of '" + key + "' must be a number, or empty.")
		}
	}
	return nil
}
