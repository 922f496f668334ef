package introspect

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The functions of PostgreSQL's own, and operators that call them, that may set something or run what isn't its own:
// volatile ones, those that make XML of tables, and those that read or check values of a type that is given by name or
// number. Functions of others have a greater number.
const speakingQuery = `WITH functions AS (
  SELECT f.oid FROM pg_proc f
  WHERE f.oid < 16384 AND (f.provolatile = 'v' OR f.prorettype = 'xml'::regtype OR 'cstring'::regtype = ANY (f.proargtypes)
    OR f.proname IN ('pg_input_is_valid', 'pg_input_error_info', 'satisfies_hash_partition'))
)
SELECT ARRAY(SELECT oid FROM functions UNION ALL SELECT o.oid FROM pg_operator o WHERE o.oprcode IN (SELECT oid FROM functions))
WHERE EXISTS (SELECT FROM pg_policy)`

func (l *loader) readSpeaking(rows pgx.Rows) error {
	var oids []uint32
	_, err := pgx.ForEachRow(rows, []any{&oids}, func() error {
		for _, oid := range oids {
			l.speaking[oid] = true
		}
		return nil
	})
	return err
}

// The expressions of policies. There is nothing to look at where a policy depends on more than its own table: what is
// PostgreSQL's own needs no dependency, but all else does.
const policiesQuery = `SELECT p.polrelid, CASE WHEN NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND (d.refclassid <> 'pg_class'::regclass OR d.refobjid <> p.polrelid)
  ) THEN concat(p.polqual::text, p.polwithcheck::text) END
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relrowsecurity`

func (l *loader) readPolicies(rows pgx.Rows) error {
	var (
		oid  uint32
		tree *string
	)
	_, err := pgx.ForEachRow(rows, []any{&oid, &tree}, func() error {
		if i, ok := l.relations[oid]; ok && (tree == nil || !l.plainTree(*tree)) {
			l.parts.Relations[i].Plain = false
		}
		return nil
	})
	return err
}

// plainTree tells whether the nodes of a tree run nothing beside functions that they name, or that belong to the types of
// their values, and name none that may set something. Subqueries may be among them as long as they read no relation.
// What a name within has of a label can only make this false.
func (l *loader) plainTree(tree string) bool {
	n := &nodeReader{text: tree}
	for {
		switch n.next() {
		case "":
			return true
		case "{":
			if !strings.Contains(plainNodes, " "+n.next()+" ") {
				return false
			}
		case ":funcid", ":opno":
			oid, err := strconv.ParseUint(n.next(), 10, 32)
			if err != nil || oid == 0 || l.speaking[uint32(oid)] {
				return false
			}
		}
	}
}

// plainNodes are the names of nodes. Some have one up to PostgreSQL 15, and another since.
const plainNodes = " VAR CONST PARAM FUNCEXPR NAMEDARGEXPR OPEXPR DISTINCTEXPR NULLIFEXPR SCALARARRAYOPEXPR BOOLEXPR NULLTEST BOOLEANTEST" +
	" RELABELTYPE COERCEVIAIO ARRAYCOERCEEXPR COLLATE COLLATEEXPR SUBSCRIPTINGREF ARRAY ARRAYEXPR SQLVALUEFUNCTION" +
	" CASE CASEEXPR WHEN CASEWHEN CASETESTEXPR COALESCE COALESCEEXPR MINMAX MINMAXEXPR SUBLINK QUERY FROMEXPR TARGETENTRY "
