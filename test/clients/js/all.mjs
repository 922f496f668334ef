// The tests in one process: they take turns, since some write what others read.
import './select.mjs'
import './filters.mjs'
import './modifiers.mjs'
import './writes.mjs'
import './rpc.mjs'
import './errors.mjs'
