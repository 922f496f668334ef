package config

import (
	"errors"
	"os"
)

// Source is where settings come from. What the database holds goes before the environment, and that before the file.
type Source struct {
	Environ    []string  // NAME=value, as Environ returns it
	File       string    // path of a configuration file; empty for none
	InDatabase []Setting // by their names in the database without prefix, as db_schemas
}

// Environ returns the environment of the process.
func Environ() []string { return os.Environ() }

// LoadDataAPI reads and checks the settings of a Data API.
func LoadDataAPI(src Source) (*DataAPI, error) { return nil, errors.New("config: not there yet") }

// Dump renders the settings as a configuration file, secrets included.
func (c *DataAPI) Dump() string { return "" }

// Example returns a configuration file that explains every setting.
func Example() string { return "" }
