package databases

import "fmt"

// table is a synced table as clients know it.
type table struct {
	Name              string `json:"name"`
	Instance          string `json:"database_instance_name"`
	EffectiveInstance string `json:"effective_database_instance_name"`
	Database          string `json:"logical_database_name"`
	EffectiveDatabase string `json:"effective_logical_database_name"`
	Spec              Spec   `json:"spec"`
	Status            status `json:"data_synchronization_status"`
	Provisioning      string `json:"unity_catalog_provisioning_state"`
}

type status struct {
	State        string    `json:"detailed_state"`
	Message      string    `json:"message"`
	PipelineID   string    `json:"pipeline_id"`
	LastSync     *position `json:"last_sync,omitempty"`
	Provisioning *running  `json:"provisioning_status,omitempty"`
	Triggered    *synced   `json:"triggered_update_status,omitempty"`
	Continuous   *synced   `json:"continuous_update_status,omitempty"`
	Failed       *synced   `json:"failed_status,omitempty"`
}

type position struct {
	Start string   `json:"sync_start_timestamp"`
	End   string   `json:"sync_end_timestamp"`
	Delta syncInfo `json:"delta_table_sync_info"`
}

// syncInfo counts the runs that succeeded in the place of a Delta table's versions.
type syncInfo struct {
	Version int64  `json:"delta_commit_version"`
	At      string `json:"delta_commit_timestamp"`
}

type running struct {
	Progress progress `json:"initial_pipeline_sync_progress"`
}

type progress struct {
	Rows int64 `json:"synced_row_count"`
}

type synced struct {
	Version   int64     `json:"last_processed_commit_version"`
	Timestamp string    `json:"timestamp,omitempty"`
	Progress  *progress `json:"triggered_update_progress,omitempty"`
}

func (s *Service) showTable(t *Table) *table {
	out := &table{
		Name: t.Name, Instance: t.Instance, EffectiveInstance: t.Instance, Database: t.Database, EffectiveDatabase: t.Database,
		Spec: t.Spec, Provisioning: "ACTIVE",
		Status: status{State: state(t), Message: message(t), PipelineID: t.PipelineID},
	}
	if t.SyncEnd != nil {
		out.Status.LastSync = &position{
			Start: stamp(t.SyncStart), End: stamp(t.SyncEnd), Delta: syncInfo{Version: t.Version, At: stamp(t.SyncStart)},
		}
	}
	done := &synced{Version: t.Version, Timestamp: stamp(t.SyncEnd)}
	if t.StartedAt != nil {
		done.Progress = &progress{Rows: t.RowsRead}
	}
	switch {
	case t.Failures > 0:
		out.Status.Failed = done
	case t.Version == 0:
		out.Provisioning = "PROVISIONING"
		out.Status.Provisioning = &running{progress{Rows: t.RowsRead}}
	case t.Spec.Policy == continuousPolicy:
		out.Status.Continuous = done
	default:
		out.Status.Triggered = done
	}
	return out
}

// message says why a table can't be synced, or how it is.
func message(t *Table) string {
	if t.Failure != "" {
		return t.Failure
	}
	text := t.Note
	if t.Retained > 0 {
		text += fmt.Sprintf(" The source's server keeps %d MiB of its log for it.", (t.Retained+1<<20-1)>>20)
	}
	return text
}

// state is what of a table's record clients wait for.
func state(t *Table) string {
	const prefix = "SYNCED_TABLE_"
	switch {
	case t.Stopped:
		return "SYNCED_TABLED_OFFLINE" // sic: the name is part of the API
	case t.Version == 0 && t.Failures > 0:
		return prefix + "OFFLINE_FAILED"
	case t.Version == 0 && t.StartedAt != nil:
		return prefix + "PROVISIONING_INITIAL_SNAPSHOT"
	case t.Version == 0:
		return prefix + "PROVISIONING"
	case t.Failures > 0:
		return prefix + "ONLINE_PIPELINE_FAILED"
	case t.Spec.Policy == continuousPolicy:
		return prefix + "ONLINE_CONTINUOUS_UPDATE"
	case t.StartedAt != nil:
		return prefix + "ONLINE_TRIGGERED_UPDATE"
	}
	return prefix + "ONLINE_NO_PENDING_UPDATE"
}
