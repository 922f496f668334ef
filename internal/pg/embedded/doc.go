// Package embedded runs one private PostgreSQL cluster from the server programs that the machine has. It knows
// directories, processes and how to reach the server; it doesn't know what the databases hold.
package embedded
