package schema

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

const (
	longGram  = 3
	shortGram = 2
	// shortlist is how many of the entries with most grams in common are compared letter by letter.
	shortlist = 50
)

// fuzzySet finds the entries that are most like a word. Entries that have grams in common with it, which are pieces of
// a few letters, are candidates; the edit distance decides among them. The case of letters makes no difference.
type fuzzySet struct {
	exact   map[string]string // by lower-case entry
	entries []string          // lower-case
	long    gramIndex
	short   gramIndex
}

// gramIndex tells which entries have which grams of one length.
type gramIndex struct {
	size  int
	has   map[string][]gramCount
	norms []float64 // of the entries' vectors of grams
}

type gramCount struct{ entry, count int }

func newFuzzySet(words []string) *fuzzySet {
	s := &fuzzySet{
		exact: make(map[string]string, len(words)),
		long:  gramIndex{size: longGram, has: map[string][]gramCount{}},
		short: gramIndex{size: shortGram, has: map[string][]gramCount{}},
	}
	for _, w := range words {
		lower := strings.ToLower(w)
		if _, known := s.exact[lower]; known {
			continue
		}
		s.exact[lower] = w
		s.entries = append(s.entries, lower)
		s.long.add(lower)
		s.short.add(lower)
	}
	return s
}

func (s *fuzzySet) has(word string) bool {
	_, ok := s.exact[strings.ToLower(word)]
	return ok
}

// closest returns the entry that is most like the word, and no less than minScore, which 1 would be for the same.
func (s *fuzzySet) closest(word string, minScore float64) (string, bool) {
	if s == nil {
		return "", false
	}
	word = strings.ToLower(word)
	if same, ok := s.exact[word]; ok {
		return same, true
	}
	for _, index := range []*gramIndex{&s.long, &s.short} {
		if near, ok := s.best(word, index.candidates(word), minScore); ok {
			return s.exact[near], true
		}
	}
	return "", false
}

// best chooses the first of the candidates with the least distance.
func (s *fuzzySet) best(word string, candidates []int, minScore float64) (near string, ok bool) {
	letters := []rune(word)
	for _, c := range candidates {
		entry := []rune(s.entries[c])
		if similarityAtMost(letters, entry) < minScore {
			continue
		}
		if score := similarity(letters, entry); score > minScore || score == minScore && !ok {
			near, ok, minScore = s.entries[c], true, score
		}
	}
	return near, ok
}

func (g *gramIndex) add(entry string) {
	counts, norm := g.count(entry)
	for gram, n := range counts {
		g.has[gram] = append(g.has[gram], gramCount{len(g.norms), n})
	}
	g.norms = append(g.norms, norm)
}

// candidates are the entries with the most grams in common, by the cosine of the angle between the vectors of grams.
func (g *gramIndex) candidates(word string) []int {
	counts, norm := g.count(word)
	dots := map[int]int{}
	for gram, n := range counts {
		for _, e := range g.has[gram] {
			dots[e.entry] += n * e.count
		}
	}
	type scored struct {
		entry  int
		cosine float64
	}
	found := make([]scored, 0, len(dots))
	for entry, dot := range dots {
		found = append(found, scored{entry, float64(dot) / (norm * g.norms[entry])})
	}
	slices.SortFunc(found, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.entry, b.entry))
	})
	out := make([]int, min(len(found), shortlist))
	for i := range out {
		out[i] = found[i].entry
	}
	return out
}

// count counts the grams of a word between hyphens, and gives the norm of the vector that the counts are. Of a word
// only letters, digits, spaces and commas count.
func (g *gramIndex) count(word string) (counts map[string]int, norm float64) {
	letters := []rune{'-'}
	for _, r := range word {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSpace(r) || r == ',' {
			letters = append(letters, r)
		}
	}
	letters = append(letters, '-')
	counts = map[string]int{}
	for i := 0; i+g.size <= len(letters); i++ {
		counts[string(letters[i:i+g.size])]++
	}
	squares := 0
	for _, n := range counts {
		squares += n * n
	}
	return counts, math.Sqrt(float64(squares))
}

// similarity is 1 less the number of letters to insert, delete or replace to make b of a, as part of the longer one.
func similarity(a, b []rune) float64 {
	longer := max(len(a), len(b))
	if longer == 0 {
		return 1
	}
	return float64(longer-distance(a, b)) / float64(longer)
}

// similarityAtMost is what the lengths alone allow. It spares comparing very long words.
func similarityAtMost(a, b []rune) float64 {
	longer := max(len(a), len(b))
	if longer == 0 {
		return 1
	}
	return float64(min(len(a), len(b))) / float64(longer)
}

// distance is the Levenshtein distance, computed row by row.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			replaced := diagonal
			if x != y {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
