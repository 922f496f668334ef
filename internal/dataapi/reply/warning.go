package reply

import (
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
)

// compatible is the version of PostgREST that warnings speak for.
const compatible = "PostgRESTv16"

// WarnLegacyTargets warns of embeds that were named in a way that will stop working.
func WarnLegacyTargets(r *Reply, targets []plan.LegacyTarget) {
	if len(targets) == 0 {
		return
	}
	changes := make([]string, len(targets))
	for i, t := range targets {
		changes[i] = "`" + t.Name + "` to `" + t.Alias + "`"
	}
	r.add("Warning", "299 "+compatible+` "Embedded resource was referenced by relation name even though it has an alias.`+
		` This is deprecated and will stop working in a future release. Update `+strings.Join(changes, ", ")+
		` in query string filters, orders or limits."`)
}
