package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/sandbox/oci"
	"github.com/hearthd/hearth/internal/server"
)

func newServe(a *app) *cobra.Command {
	o := server.Defaults()
	var (
		logLevel = slog.LevelInfo
		network  = "none"
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: `Run a node until it is told to stop (SIGINT or SIGTERM); invocations under way
come to their end first. Whatever a node that was killed left behind is removed
when it starts again.

The first start makes an account and writes its access key to the file
"credentials" in the data directory.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 {
				return errors.New("sandboxes need root: run `sudo hearth serve`")
			}
			switch network {
			case "none", "egress":
				o.Egress = network == "egress"
			default:
				return fmt.Errorf("--network is none or egress, not %q", network)
			}
			if err := oci.Isolate(); err != nil {
				return err
			}
			o.S3.AccessKeyID = cmp.Or(o.S3.AccessKeyID, os.Getenv("HEARTH_S3_ACCESS_KEY_ID"))
			o.S3.SecretAccessKey = cmp.Or(o.S3.SecretAccessKey, os.Getenv("HEARTH_S3_SECRET_ACCESS_KEY"))
			o.Version = build()
			o.Log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: logLevel}))
			o.Started = func(s server.Started) { welcome(a.stdout, s) }
			return server.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Dir, "data", o.Dir, "directory for everything the node keeps")
	f.StringVar(&o.Listen, "listen", o.Listen, "address of the API, host:port")
	f.StringVar(&o.MetricsListen, "metrics-listen", o.MetricsListen, "address for /metrics without authentication, host:port")
	f.StringVar(&o.PublicURL, "public-url", o.PublicURL, "how clients reach the API, if not by the address they name in their requests")
	f.StringVar(&o.Region, "region", o.Region, "region that stands in ARNs; requests may name any")
	f.StringVar(&network, "network", network, `what functions reach: "none", or "egress" for other machines (never the node itself)`)
	f.IntVar(&o.MemoryMB, "memory", o.MemoryMB, "memory for functions in MB (default: four fifths of the machine's)")
	f.Float64Var(&o.Overcommit, "overcommit", o.Overcommit, "how many times that memory functions may ask for together")
	f.Float64Var(&o.Overlap, "overlap", o.Overlap, "how many times that while a deployment replaces environments: the new ones are made beside the old ones")
	f.IntVar(&o.InstanceMB, "instance-memory", o.InstanceMB, "memory of an instance in MB (default: what the largest function may have)")
	f.IntVar(&o.MBPerCPU, "memory-per-cpu", o.MBPerCPU, "how many MB of a function's memory come with one whole CPU; 0: in proportion to what the node has")
	f.IntVar(&o.MbitPerCPU, "network-per-cpu", o.MbitPerCPU, "Mbit/s of network each way that come with one whole CPU, with --network egress; 0: no bound")
	f.IntVar(&o.PoolFloor, "pool-floor", o.PoolFloor, "environments to keep pre-booted of each runtime in use, at least")
	f.IntVar(&o.PoolCeiling, "pool-ceiling", o.PoolCeiling, "and at most")
	f.DurationVar(&o.FreezeAfter, "freeze-after", o.FreezeAfter, "how long an environment is idle before it is frozen")
	f.DurationVar(&o.IdleFor, "idle-for", o.IdleFor, "how long an environment is kept idle")
	f.DurationVar(&o.QueueFor, "queue-for", o.QueueFor, "how long an invocation waits for memory when the node is full")
	f.DurationVar(&o.SizingWindow, "sizing-window", o.SizingWindow, "how long a function has an amount at least before sizing lowers it")
	f.StringVar(&o.SizingNotify, "sizing-notify", o.SizingNotify, "URL to tell of every function's recommendations and adjustments")
	f.BoolVar(&o.SizingPrivateWebhooks, "sizing-private-webhooks", o.SizingPrivateWebhooks, "let functions' owners have sizing's events sent to addresses that are not public")
	f.BoolVar(&o.StrictRuntimes, "strict-runtimes", o.StrictRuntimes, "refuse a runtime that is not exactly there instead of taking the nearest")
	f.StringSliceVar(&o.RuntimePrefixes, "runtime-prefix", o.RuntimePrefixes, "further directory with an interpreter in its bin/ (may be repeated)")
	f.Int64Var(&o.CacheBytes, "cache-bytes", o.CacheBytes, "disk space for unpacked code")
	f.Int64Var(&o.LogBytes, "log-bytes", o.LogBytes, "disk space for functions' logs")
	f.DurationVar(&o.LogAge, "log-age", o.LogAge, "how long functions' logs are kept")
	f.DurationVar(&o.UsageAge, "usage-age", o.UsageAge, "how long the account of what executions used is kept")
	f.BoolVar(&o.SyncAlways, "sync-always", o.SyncAlways, "have every change on the disk before it is acknowledged: a power cut loses nothing")
	f.StringVar(&o.NATSURL, "nats-url", o.NATSURL, "NATS server or cluster for the state (default: one inside the node)")
	f.StringVar(&o.S3.Endpoint, "s3-endpoint", o.S3.Endpoint, "S3-compatible service to read code from that is named by bucket and key")
	f.StringVar(&o.S3.Region, "s3-region", o.S3.Region, "its region")
	f.StringVar(&o.S3.AccessKeyID, "s3-access-key-id", o.S3.AccessKeyID, "its access key (env HEARTH_S3_ACCESS_KEY_ID)")
	f.StringVar(&o.S3.SecretAccessKey, "s3-secret-access-key", o.S3.SecretAccessKey, "its secret (better: env HEARTH_S3_SECRET_ACCESS_KEY)")
	f.TextVar(&logLevel, "log-level", logLevel, "what the node logs about itself: debug, info, warn or error")
	return cmd
}

// welcome says how to reach the node.
func welcome(w io.Writer, s server.Started) {
	if s.FirstStart {
		fmt.Fprintf(w, "Made account %s with access key %s, in %s\n", s.AccountID, s.AccessKeyID, s.CredentialsFile)
	}
	fmt.Fprintf(w, `Hearth is ready at %s

  export AWS_ENDPOINT_URL=%s
  export AWS_SHARED_CREDENTIALS_FILE=%s
  export AWS_DEFAULT_REGION=%s

`, s.URL, s.URL, s.CredentialsFile, s.Region)
}
