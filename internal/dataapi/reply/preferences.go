package reply

import (
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
)

// The preferences that have an effect on each kind of request, for Preference-Applied.

func preferencesOfRead(p request.Prefer) request.Prefer {
	p.Resolution, p.Return, p.Missing = request.NoResolution, request.NoReturn, request.DefaultMissing
	p.HasMaxAffected = false
	return p
}

func preferencesOfCall(p request.Prefer) request.Prefer {
	p.Resolution, p.Return, p.Missing = request.NoResolution, request.NoReturn, request.DefaultMissing
	return p
}

func preferencesOfMutation(m *plan.Mutate, req *request.Request) request.Prefer {
	p := req.Prefer
	insert, _ := m.Write.(*plan.Insert)
	if m.Mutation != request.Insert || len(insert.PrimaryKey) == 0 && req.Query.OnConflict == nil {
		p.Resolution = request.NoResolution
	}
	if m.Mutation != request.Insert && m.Mutation != request.Update {
		p.Missing = request.DefaultMissing
	}
	if m.Mutation != request.Update && m.Mutation != request.Delete {
		p.HasMaxAffected = false
	}
	return p
}
