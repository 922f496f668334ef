package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Options say where a cluster is and how it is run.
type Options struct {
	DataDir string
	BinDir  string       // the server's programs; found if empty
	User    string       // whom root runs the server as; postgres or nobody if empty
	Port    int          // on the loopback interface; a free one if 0
	Owner   string       // the role that owns the user's database; db_owner if empty
	Logins  []string     // roles, besides superuser and owner, that Tarn logs in as over the socket
	Log     *slog.Logger // nothing is logged if nil
}

// Server is a running cluster. It starts its server process again when that dies.
type Server struct {
	Address

	layout  layout
	runtime Runtime
	lock    *os.File
	logfile logfile
	log     *slog.Logger

	patience patience

	stop chan context.Context
	done chan struct{}
	err  error
}

// Start runs the cluster of a data directory until Stop is called, making it if there is none. The context is for
// starting only.
func Start(ctx context.Context, opt Options) (*Server, error) { return startWith(ctx, opt, usual()) }

func startWith(ctx context.Context, opt Options, p patience) (*Server, error) {
	as, err := NewAccount(opt.User)
	if err != nil {
		return nil, err
	}
	l, err := newLayout(opt.DataDir, as)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := takeLock(l.dataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		layout: l,
		lock:   lock,
		log:    cmp.Or(opt.Log, slog.New(slog.DiscardHandler)),
		stop:   make(chan context.Context),
		done:   make(chan struct{}),

		patience: p,
	}
	if err := s.start(ctx, opt); err != nil {
		s.close()
		return nil, fmt.Errorf("PostgreSQL in %s: %w", l.dataDir, err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, opt Options) error {
	if err := s.layout.settle(ctx); err != nil {
		return err
	}
	if err := s.prepare(ctx, opt); err != nil {
		return err
	}
	if err := s.address(ctx, opt); err != nil {
		return err
	}
	roles := append([]string{Superuser, StoreRole, s.Owner}, opt.Logins...)
	if err := s.layout.writeAccess(roles); err != nil {
		return err
	}
	var err error
	if s.logfile, err = openLog(s.layout.dataDir); err != nil {
		return err
	}
	p, err := startPostmaster(s.command())
	if err != nil {
		return err
	}
	if err := s.ready(ctx, p); err != nil {
		return err
	}
	if err := s.bootstrap(ctx); err != nil {
		_ = p.stop(ctx)
		return err
	}
	s.log.Info("PostgreSQL runs", "version", s.runtime.Version, "pid", p.pid, "port", s.Port, "user", s.layout.account.Name)
	go s.supervise(p)
	return nil
}

// prepare builds the private tree, which costs little and so follows every change of the machine's installation, and
// makes the cluster if there is none.
func (s *Server) prepare(ctx context.Context, opt Options) error {
	l := s.layout
	major, err := l.version()
	if err != nil {
		return err
	}
	in, err := Find(ctx, opt.BinDir, major)
	if err != nil {
		return err
	}
	if in.Major < oldest {
		return fmt.Errorf("%s is PostgreSQL %d, and Tarn needs %d or newer", in.BinDir, in.Major, oldest)
	}
	if err := os.RemoveAll(l.runtime); err != nil {
		return err
	}
	if s.runtime, err = NewRuntime(in, l.account, l.runtime); err != nil || major != 0 {
		return err
	}
	// A cluster has its name only when it is complete.
	draft := l.cluster + ".new"
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	if err := l.account.Mkdir(draft); err != nil {
		return err
	}
	if err := s.runtime.InitDB(ctx, draft, Superuser); err != nil {
		return err
	}
	return os.Rename(draft, l.cluster)
}

// address settles where the server listens and who owns the user's database, and keeps that for other processes.
func (s *Server) address(ctx context.Context, opt Options) error {
	l := s.layout
	before, err := Locate(l.dataDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if s.password, err = ensurePassword(l.dataDir); err != nil {
		return err
	}
	if s.Port, err = choosePort(ctx, opt.Port, before.Port); err != nil {
		return err
	}
	s.SocketDir, s.BinDir = l.sockets, s.runtime.BinDir
	s.Owner = cmp.Or(opt.Owner, before.Owner, "db_owner")
	if err := l.account.Mkdir(l.sockets); err != nil {
		return err
	}
	return s.save(l.dataDir)
}

// command is the server process. What Tarn depends on is set here and wins over postgresql.conf; all else is the
// administrator's.
func (s *Server) command() *exec.Cmd {
	cmd := s.runtime.Command(context.Background(), "postgres", "-D", s.layout.cluster, "-k", s.SocketDir, "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses="+loopback,
		"-c", "unix_socket_permissions=0700",
		"-c", "password_encryption=scram-sha-256",
		"-c", "hba_file="+filepath.Join(s.layout.cluster, "pg_hba.conf"),
		"-c", "ident_file="+filepath.Join(s.layout.cluster, "pg_ident.conf"),
		"-c", "log_destination=stderr",
		"-c", "logging_collector=off",
		"-c", "cluster_name=tarn",
	)
	cmd.Stderr, cmd.Stdout = s.logfile.File, s.logfile.File
	return cmd
}

// ready waits until the server takes connections. A server that doesn't is stopped.
func (s *Server) ready(ctx context.Context, p *postmaster) error {
	from := s.logfile.size()
	for !s.layout.accepts(p.pid) {
		select {
		case <-p.exited:
			return fmt.Errorf("the server ended: %w\n%s", p.err, s.logfile.since(from))
		case <-ctx.Done():
			_ = p.stop(ctx)
			return fmt.Errorf("the server takes no connections: %w\n%s", context.Cause(ctx), s.logfile.since(from))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
