// Package embedded runs one private PostgreSQL cluster from the server programs that the machine has: it finds them, makes
// the cluster, keeps the server running and stops it. It knows folders, processes and how to reach the server; it
// doesn't know what the databases hold.
package embedded
