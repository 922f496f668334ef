package request

// Prefer holds the preferences of RFC 7240 that are known. The zero value of each is not given.
type Prefer struct {
	Resolution     Resolution
	Return         Return
	Count          CountMode
	Tx             Tx
	Missing        Missing
	Handling       Handling
	Timezone       string
	MaxAffected    int64
	HasMaxAffected bool
	Invalid        []string // what was not understood, as it was written
}

// Resolution is what an insert does with duplicates.
type Resolution uint8

// The resolutions.
const (
	NoResolution Resolution = iota
	MergeDuplicates
	IgnoreDuplicates
)

// Return is what a mutation answers with.
type Return uint8

// The answers of a mutation.
const (
	NoReturn Return = iota
	Representation
	HeadersOnly
	Minimal
)

// CountMode is how the total is counted.
type CountMode uint8

// The ways to count.
const (
	NoCount CountMode = iota
	Exact
	Planned
	Estimated
)

// Tx is how the transaction is to end.
type Tx uint8

// The ends of a transaction.
const (
	DefaultTx Tx = iota
	Commit
	Rollback
)

// Missing is what stands for a column that the payload lacks.
type Missing uint8

// The stand-ins.
const (
	DefaultMissing Missing = iota
	MissingDefault
	MissingNull
)

// Handling is what is done about a preference that is not understood.
type Handling uint8

// The handlings.
const (
	DefaultHandling Handling = iota
	Strict
	Lenient
)
