package introspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// targetEntry is an entry of a target list as PostgreSQL writes it.
func targetEntry(expr, number, name, relation, column string) string {
	return "{TARGETENTRY :expr " + expr + " :resno " + number + " :resname " + name +
		" :ressortgroupref 0 :resorigtbl " + relation + " :resorigcol " + column + " :resjunk false}"
}

const (
	variable = "{VAR :varno 3 :varattno 1 :vartype 23 :vartypmod -1 :varcollid 0 :varlevelsup 0 :location 26}"
	constant = `{CONST :consttype 25 :constisnull false :location 94 :constvalue 16 [ 64 0 0 0 -58 114 101 115 110 111 32 55 32 125 123 40 ]}`
	subquery = "{SUBLINK :subLinkType 4 :testexpr <> :subselect {QUERY :commandType 1 :targetList ({TARGETENTRY :expr " + variable +
		" :resno 7 :resname id :ressortgroupref 0 :resorigtbl 777 :resorigcol 7 :resjunk false}) :rowMarks <>} :location 3}"
)

func TestParseTargets(t *testing.T) {
	tests := []struct {
		name string
		tree string
		want []target
	}{
		{
			"columns of a table",
			"({QUERY :commandType 1 :rtable ({RANGETBLENTRY :alias <> :eref {ALIAS :aliasname a :colnames (\"id\" \"n\")} :selectedCols (b 8 9)}) " +
				":targetList (" + targetEntry(variable, "1", "id", "16707", "1") + " " + targetEntry(variable, "2", "n", "16707", "2") + ") :override 0})",
			[]target{{1, origin{16707, 1}}, {2, origin{16707, 2}}},
		},
		{
			"nothing selected",
			"({QUERY :commandType 1 :jointree {FROMEXPR :fromlist <> :quals <>} :targetList <> :override 0})",
			nil,
		},
		{
			"expressions have no origin",
			"({QUERY :targetList (" + targetEntry(constant, "1", "x", "0", "0") + targetEntry(variable, "2", "y", "5", "6") + ")})",
			[]target{{1, origin{}}, {2, origin{5, 6}}},
		},
		{
			"names like labels",
			"({QUERY :a :targetList :targetList (" + targetEntry(variable, "1", ":resno", "5", "1") + " " + targetEntry(variable, "2", ":targetList", "5", "2") + ")})",
			[]target{{1, origin{5, 1}}, {2, origin{5, 2}}},
		},
		{
			"escaped names",
			`({QUERY :cteList ({COMMONTABLEEXPR :ctename \(\{\ :targetList\ \(}) :targetList (` + targetEntry(variable, "1", `a\}\ \(b\\`, "5", "1") + ")})",
			[]target{{1, origin{5, 1}}},
		},
		{
			"target lists within",
			"({QUERY :cteList ({COMMONTABLEEXPR :ctequery {QUERY :targetList (" + targetEntry(variable, "9", "z", "9", "9") + ")}}) :targetList (" +
				targetEntry(subquery, "1", "m", "0", "0") + " " + targetEntry(variable, "2", "id", "5", "1") + ") :setOperations <>})",
			[]target{{1, origin{}}, {2, origin{5, 1}}},
		},
		{
			"values of several tokens",
			"({QUERY :limitCount " + constant + " :constvalue 2 [ 1 (2) ] :targetList (" + targetEntry(variable, "1", "id", "4294967295", "-7") + ")} {QUERY :targetList <>})",
			[]target{{1, origin{4294967295, -7}}},
		},
		{
			"other white space",
			"(\n{QUERY\t:targetList\n(" + targetEntry(variable, "1", "id", "5", "1") + ")\n}\n)",
			[]target{{1, origin{5, 1}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseTargets(tt.tree)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(target{}, origin{})); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTargetsErrors(t *testing.T) {
	for _, tree := range []string{
		"", "<>", "({SELECT})", "({QUERY :targetList", "({QUERY :targetList (", "({QUERY :targetList ()", "({QUERY :targetList (a)})",
		"({QUERY :targetList ({VAR :varno 3})})", "({QUERY :a {B :c (d :targetList <>)})", "({QUERY :a )})", "({QUERY :targetList})",
		"({QUERY :targetList (" + targetEntry(variable, "x", "id", "5", "1") + ")})",
		"({QUERY :targetList (" + targetEntry(variable, "1", "id", "-5", "1") + ")})",
		"({QUERY :targetList (" + targetEntry(variable, "1", "id", "5", "99999") + ")})",
		`({QUERY :a \`,
	} {
		if got, err := parseTargets(tree); err == nil {
			t.Errorf("targets of %q are %v, want an error", tree, got)
		}
	}
}

func FuzzParseTargets(f *testing.F) {
	f.Add("({QUERY :a (b 1 2) :targetList (" + targetEntry(subquery, "1", ":resno", "5", "1") + ") :c \"d\\ e\"})")
	f.Add("({QUERY :targetList (" + targetEntry(constant, "1", `a\}\ `, "0", "0") + ")})")
	f.Add(`({QUERY :a {B :c <> :d [ 1 ]} :targetList <>})`)
	f.Add(`({QUERY \`)
	f.Fuzz(func(t *testing.T, tree string) {
		targets, err := parseTargets(tree)
		if err != nil {
			return
		}
		spaced, err := parseTargets("\n" + tree + " (")
		if err != nil {
			t.Fatalf("with space around: %v", err)
		}
		if diff := cmp.Diff(targets, spaced, cmp.AllowUnexported(target{}, origin{})); diff != "" {
			t.Errorf("targets with space around differ:\n%s", diff)
		}
	})
}
