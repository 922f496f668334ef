package request

import (
	"strings"

	"github.com/tarn-data/tarn/internal/fault"
)

// resource finds what is to be done to what by path and method.
func resource(in Input, opt Options) (Action, error) {
	path := strings.TrimPrefix(in.Path, "/")
	name, isRoutine := strings.CutPrefix(path, "rpc/")
	switch {
	case path == "" && opt.OpenAPIDisabled:
		return nil, fault.New(fault.NotFound, "PGRST126", "Root endpoint metadata is disabled")
	case path == "" && opt.RootSpec != "":
		return routineAction(unqualified(opt.RootSpec), in.Method)
	case path == "":
		return schemaAction(in.Method)
	case strings.Contains(name, "/"):
		return nil, fault.New(fault.NotFound, "PGRST125", "Invalid path specified in request URL")
	case isRoutine:
		return routineAction(strings.ToValidUTF8(name, "\uFFFD"), in.Method)
	}
	return relationAction(strings.ToValidUTF8(name, "\uFFFD"), in.Method)
}

func unqualified(name string) string {
	if _, after, ok := strings.Cut(name, "."); ok {
		return after
	}
	return name
}

func routineAction(name, method string) (Action, error) {
	switch method {
	case "GET":
		return CallRoutine{Name: name, Invoke: InvokeGet}, nil
	case "HEAD":
		return CallRoutine{Name: name, Invoke: InvokeHead}, nil
	case "POST":
		return CallRoutine{Name: name, Invoke: InvokePost}, nil
	case "OPTIONS":
		return RoutineInfo{Name: name}, nil
	}
	return nil, fault.New(fault.MethodNotAllowed, "PGRST101", "Cannot use the "+method+" method on RPC")
}

func relationAction(name, method string) (Action, error) {
	switch method {
	case "GET":
		return ReadRelation{Name: name}, nil
	case "HEAD":
		return ReadRelation{Name: name, HeadersOnly: true}, nil
	case "POST":
		return MutateRelation{Name: name, Mutation: Insert}, nil
	case "PUT":
		return MutateRelation{Name: name, Mutation: Upsert}, nil
	case "PATCH":
		return MutateRelation{Name: name, Mutation: Update}, nil
	case "DELETE":
		return MutateRelation{Name: name, Mutation: Delete}, nil
	case "OPTIONS":
		return RelationInfo{Name: name}, nil
	}
	return nil, unsupportedMethod(method)
}

func schemaAction(method string) (Action, error) {
	switch method {
	case "GET":
		return ReadSchema{}, nil
	case "HEAD":
		return ReadSchema{HeadersOnly: true}, nil
	case "OPTIONS":
		return SchemaInfo{}, nil
	}
	return nil, unsupportedMethod(method)
}

func unsupportedMethod(method string) error {
	return fault.New(fault.MethodNotAllowed, "PGRST117", "Unsupported HTTP method: "+method)
}
