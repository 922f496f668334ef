package permissions

import "slices"

// Level is what somebody may do with an object.
type Level string

// The levels.
const (
	Attach            Level = "CAN_ATTACH_TO"
	Edit              Level = "CAN_EDIT"
	Manage            Level = "CAN_MANAGE"
	ManageProduction  Level = "CAN_MANAGE_PRODUCTION_VERSIONS"
	ManageRun         Level = "CAN_MANAGE_RUN"
	ManageStaging     Level = "CAN_MANAGE_STAGING_VERSIONS"
	Monitor           Level = "CAN_MONITOR"
	Owner             Level = "IS_OWNER"
	QueryLevel        Level = "CAN_QUERY"
	Read              Level = "CAN_READ"
	Restart           Level = "CAN_RESTART"
	Run               Level = "CAN_RUN"
	Use               Level = "CAN_USE"
	View              Level = "CAN_VIEW"
	authorizationType       = "authorization"
)

// objectType is what is known of a type of objects.
type objectType struct {
	single string  // its name in answers
	levels []Level // each has all that those before it have
	owned  bool    // there is always one owner
}

func lookup(name string) (objectType, bool) {
	content := []Level{Read, Run, Edit, Manage}
	seen := []Level{View, Run, Edit, Manage}
	switch name {
	case "alerts", "queries", "dbsql-dashboards":
		return objectType{single(name), seen, false}, true
	case "alertsv2", "dashboards", "directories", "files", "genie", "notebooks", "repos":
		return objectType{single(name), content, false}, true
	case "apps", "database-instances", "database-projects", "vector-search-endpoints":
		return objectType{single(name), []Level{Use, Manage}, false}, true
	case "clusters":
		return objectType{"cluster", []Level{Attach, Restart, Manage}, false}, true
	case "cluster-policies":
		return objectType{"cluster-policy", []Level{Use}, false}, true
	case "experiments":
		return objectType{"mlflowExperiment", []Level{Read, Edit, Manage}, false}, true
	case "instance-pools":
		return objectType{"instance-pool", []Level{Attach, Manage}, false}, true
	case "jobs":
		return objectType{"job", []Level{View, ManageRun, Manage, Owner}, true}, true
	case "pipelines":
		return objectType{"pipelines", []Level{View, Run, Manage, Owner}, true}, true
	case "registered-models":
		return objectType{"registered-model", []Level{Read, Edit, ManageStaging, ManageProduction, Manage}, false}, true
	case "serving-endpoints":
		return objectType{"serving-endpoint", []Level{View, QueryLevel, Manage}, false}, true
	case "warehouses":
		return objectType{"warehouses", []Level{View, Monitor, Use, Manage, Owner}, false}, true
	}
	return objectType{}, false
}

// single is a name in the singular.
func single(name string) string {
	switch name {
	case "directories":
		return "directory"
	case "queries":
		return "query"
	case "alertsv2", "genie":
		return name
	}
	return name[:len(name)-1]
}

// typeOf is what is known of an object's type. The ones of authorization are objects by themselves.
func typeOf(o Object) (objectType, bool) {
	if o.Type == authorizationType {
		return objectType{o.ID, []Level{Use}, false}, o.ID == "tokens" || o.ID == "passwords"
	}
	return lookup(o.Type)
}

// rank orders the levels of a type; -1 for one that it doesn't have.
func (t objectType) rank(l Level) int { return slices.Index(t.levels, l) }

// top is the highest level that isn't about whose it is.
func (t objectType) top() Level {
	last := t.levels[len(t.levels)-1]
	if last == Owner {
		return t.levels[len(t.levels)-2]
	}
	return last
}

// lowest is the level that whoever may know of the object has.
func (t objectType) lowest() Level { return t.levels[0] }

func describe(l Level) string {
	switch l {
	case Attach:
		return "Can attach to it"
	case Edit:
		return "Can see, run and change it"
	case Manage:
		return "Can do everything with it, and say who else can do what"
	case ManageProduction:
		return "Can manage versions in production"
	case ManageRun:
		return "Can see its results, start and cancel its runs"
	case ManageStaging:
		return "Can manage versions in staging"
	case Monitor:
		return "Can use it, and see what others run on it"
	case Owner:
		return "Is its owner, as whom it runs"
	case QueryLevel:
		return "Can see and query it"
	case Read:
		return "Can see it"
	case Restart:
		return "Can attach to it, start, restart and stop it"
	case Run:
		return "Can see and run it"
	case Use:
		return "Can use it"
	case View:
		return "Can see it and its results"
	}
	return ""
}
