// Package clusters provides the compute clusters of the platform: which runtimes there are. It knows neither who calls nor
// what runs on a cluster.
package clusters

import (
	"context"
	"net/http"

	"github.com/tarn-data/tarn/internal/endpoint"
)

type version struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

type versions struct {
	Versions []version `json:"versions"`
}

// Routes are the operations on clusters.
func Routes() []endpoint.Route {
	return []endpoint.Route{{
		Method: http.MethodGet, Path: "/api/2.0/clusters/spark-versions", Also: []string{"/api/2.1/clusters/spark-versions"},
		Service: "clusters", Action: "sparkVersions", Summary: "Runtime versions that a cluster can have",
		Do: endpoint.JSON(sparkVersions),
	}}
}

// sparkVersions are what clients choose from. The keys are those of Databricks, whose clients look for patterns in them.
func sparkVersions(context.Context, endpoint.None) (versions, error) {
	return versions{[]version{
		{"16.4.x-scala2.12", "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)"},
		{"15.4.x-scala2.12", "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
	}}, nil
}
