package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/apiclient"
	"github.com/tarn-data/tarn/internal/audit"
	"github.com/tarn-data/tarn/internal/server"
)

type auditCommand struct {
	Tail   auditTailCommand   `cmd:"" help:"Show the last records of the audit log, and those that come."`
	List   auditListCommand   `cmd:"" help:"Show records of the audit log, the newest first."`
	Export auditExportCommand `cmd:"" help:"Write the audit log as NDJSON, the oldest record first."`
	Verify auditVerifyCommand `cmd:"" help:"Find out whether the audit log is whole and as it was written."`
}

const (
	auditPath    = "/api/2.0/tarn/audit"
	auditPage    = 1000
	auditService = "audit" // whose records are of reading the log
	tailEvery    = time.Second
)

// auditFilter says which records are meant.
type auditFilter struct {
	Since   string `help:"Only calls from this time on: a time such as 2026-11-21T08:00:00Z, or how long ago, such as 24h."`
	Until   string `help:"Only calls before this time, likewise."`
	User    string `help:"Only calls of this user name or application id."`
	Service string `help:"Only calls of this service, such as tokens."`
	Action  string `help:"Only calls of this action, such as create."`
	Outcome string `enum:",success,failure" default:"" help:"Only calls that went well (success), or that didn't (failure)."`
	Status  int    `help:"Only calls that were answered with this status."`
	Request string `help:"Only the call with this request id."`
}

func (f *auditFilter) query() (url.Values, error) {
	q := url.Values{}
	for name, value := range map[string]string{
		"user_name": f.User, "service_name": f.Service, "action_name": f.Action, "outcome": f.Outcome, "request_id": f.Request,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Status != 0 {
		q.Set("status_code", strconv.Itoa(f.Status))
	}
	for name, value := range map[string]string{"start_time": f.Since, "end_time": f.Until} {
		if value == "" {
			continue
		}
		at, err := parseMoment(value, time.Now())
		if err != nil {
			return nil, err
		}
		q.Set(name, strconv.FormatInt(at.UnixMilli(), 10))
	}
	return q, nil
}

// parseMoment reads a time, or how long ago it was.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, withHint(fmt.Errorf("%q is no time", text), "Write 2026-11-21T08:00:00Z, 2026-11-21 or, for how long ago, 24h.")
}

type auditPageOut struct {
	Records  []audit.ExportLine `json:"records"`
	NextPage string             `json:"next_page_token"`
}

type auditListCommand struct {
	target      `embed:""`
	auditFilter `embed:""`
	Limit       int `short:"n" default:"100" help:"How many records to show."`
}

// Run shows records.
func (c *auditListCommand) Run(e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	query, err := c.query()
	if err != nil {
		return err
	}
	for left := c.Limit; left > 0; {
		query.Set("max_results", strconv.Itoa(min(left, auditPage)))
		var page auditPageOut
		if err := client.Get(e.ctx, auditPath, query, &page); err != nil {
			return err
		}
		if err := showRecords(e, page.Records, c.JSON); err != nil {
			return err
		}
		if left -= len(page.Records); page.NextPage == "" {
			return nil
		}
		query.Set("page_token", page.NextPage)
	}
	return nil
}

type auditTailCommand struct {
	target      `embed:""`
	auditFilter `embed:""`
	Last        int  `short:"n" default:"10" help:"How many records to begin with."`
	All         bool `help:"Show records of reading the audit log, too, as this command does."`
}

// Run shows records until it is ended.
func (c *auditTailCommand) Run(e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	query, err := c.query()
	if err != nil {
		return err
	}
	query.Set("max_results", strconv.Itoa(max(1, min(c.Last, auditPage))))
	var page auditPageOut
	if err := client.Get(e.ctx, auditPath, query, &page); err != nil {
		return err
	}
	slices.Reverse(page.Records)
	page.Records = page.Records[max(0, len(page.Records)-c.Last):]
	query.Set("order", "asc")
	query.Set("max_results", strconv.Itoa(auditPage))
	return c.follow(e, client, query, page.Records)
}

func (c *auditTailCommand) follow(e *env, client *apiclient.Client, query url.Values, records []audit.ExportLine) error {
	for {
		if len(records) > 0 {
			query.Set("after_sequence", strconv.FormatInt(records[len(records)-1].Sequence, 10))
		}
		if !c.All {
			records = slices.DeleteFunc(records, func(r audit.ExportLine) bool {
				entry, err := audit.ParseEntry(r.Record)
				return err == nil && entry.Service == auditService
			})
		}
		if err := showRecords(e, records, c.JSON); err != nil {
			return err
		}
		select {
		case <-e.ctx.Done():
			return nil
		case <-time.After(tailEvery):
		}
		var page auditPageOut
		if err := client.Get(e.ctx, auditPath, query, &page); err != nil {
			if e.ctx.Err() == nil {
				return err
			}
			return nil
		}
		records = page.Records
	}
}

func showRecords(e *env, lines []audit.ExportLine, asJSON bool) error {
	for _, line := range lines {
		if asJSON {
			if err := json.NewEncoder(e.stdout).Encode(line); err != nil {
				return err
			}
			continue
		}
		var r audit.Record
		if err := json.Unmarshal(line.Record, &r); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(e.stdout, recordLine(&r)); err != nil {
			return err
		}
	}
	return nil
}

// recordLine is a record for people.
func recordLine(r *audit.Record) string {
	or := func(text, other string) string {
		if text == "" {
			return other
		}
		return strconv.QuoteToGraphic(text)[1 : len(strconv.QuoteToGraphic(text))-1] // no control characters to a terminal
	}
	at := time.UnixMilli(r.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z")
	words := []string{
		at, fmt.Sprintf("%3d", r.Response.Status), or(r.User.Name, "-"), r.Service + "." + r.Action, or(r.Securable, "-"), or(r.Source, "-"), or(r.RequestID, "-"),
	}
	if r.Response.Code != "" {
		words = append(words, or(r.Response.Code+": "+r.Response.Message, ""))
	}
	return strings.Join(words, "  ")
}

type auditExportCommand struct {
	target      `embed:""`
	auditFilter `embed:""`
	File        string `arg:"" optional:"" type:"path" predictor:"file" help:"File to write; standard output if none is named. An export of all records can be verified."`
}

// Run exports the log.
func (c *auditExportCommand) Run(e *env) error {
	client, err := c.client(e)
	if err != nil {
		return err
	}
	query, err := c.query()
	if err != nil {
		return err
	}
	path := auditPath + "/export"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	in, err := client.Stream(e.ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if c.File == "" {
		_, err := io.Copy(e.stdout, in)
		return err
	}
	return server.WriteWhole(c.File, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

type auditVerifyCommand struct {
	stateFlags `embed:""`
	File       string   `type:"existingfile" predictor:"file" help:"Verify an export of all records in place of the log itself."`
	Known      []string `placeholder:"SEQUENCE:HASH" help:"A head that was shown before, which the log must have."`
}

// Run verifies the log.
func (c *auditVerifyCommand) Run(e *env) error {
	known := make([]audit.Head, 0, len(c.Known)+1)
	for _, text := range c.Known {
		h, err := audit.ParseHead(text)
		if err != nil {
			return err
		}
		known = append(known, h)
	}
	report, err := c.verify(e, known)
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		if _, err := fmt.Fprintln(e.stdout, p); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(e.stdout, "%d records after %s\nhead %s\n", report.Records, report.Start, report.Head)
	if err == nil && report.Found > 0 {
		err = fmt.Errorf("the audit log is not as it was written: problems found: %d", report.Found)
	}
	return err
}

func (c *auditVerifyCommand) verify(e *env, known []audit.Head) (*audit.Report, error) {
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		return audit.VerifyExport(f, known)
	}
	anchor, err := audit.ReadAnchor(server.AuditDir(c.DataDir))
	if err != nil {
		return nil, err
	}
	if anchor.Sequence > 0 {
		known = append(known, anchor)
	}
	return server.VerifyAudit(e.ctx, c.options(), known)
}
