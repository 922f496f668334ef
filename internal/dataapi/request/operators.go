package request

// String is the operator as a client writes it. So with the others.
func (o Operator) String() string {
	switch o {
	case Equal:
		return "eq"
	case GreaterEqual:
		return "gte"
	case Greater:
		return "gt"
	case LessEqual:
		return "lte"
	case Less:
		return "lt"
	case Like:
		return "like"
	case ILike:
		return "ilike"
	case Match:
		return "match"
	case IMatch:
		return "imatch"
	case NotEqual:
		return "neq"
	case Contains:
		return "cs"
	case Contained:
		return "cd"
	case Overlap:
		return "ov"
	case StrictlyLeft:
		return "sl"
	case StrictlyRight:
		return "sr"
	case NotExtendsRight:
		return "nxr"
	case NotExtendsLeft:
		return "nxl"
	case Adjacent:
		return "adj"
	}
	return ""
}

func (q Quantor) String() string {
	switch q {
	case AnyOf:
		return "any"
	case AllOf:
		return "all"
	case NoQuantor:
	}
	return ""
}

func (v IsValue) String() string {
	switch v {
	case IsNull:
		return "null"
	case IsNotNull:
		return "not_null"
	case IsTrue:
		return "true"
	case IsFalse:
		return "false"
	case IsUnknown:
		return "unknown"
	}
	return ""
}

func (o FullTextOperator) String() string {
	switch o {
	case FTS:
		return "fts"
	case PlainFTS:
		return "plfts"
	case PhraseFTS:
		return "phfts"
	case WebFTS:
		return "wfts"
	}
	return ""
}
