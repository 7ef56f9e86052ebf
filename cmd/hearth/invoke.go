package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
)

func newInvoke(a *app) *cobra.Command {
	var (
		i       client.Invocation
		payload string
	)
	cmd := &cobra.Command{
		Use:   "invoke FUNCTION",
		Short: "Call a function and print its answer",
		Long: `Call a function and print its answer. The exit status is 1 when the function
ended with an error.`,
		Example: `  hearth invoke hello --payload '{"name": "world"}'
  hearth invoke hello --payload @event.json --log
  echo '{}' | hearth invoke hello --payload -`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunction,
		RunE: func(cmd *cobra.Command, args []string) error {
			i.Function = args[0]
			var err error
			if i.Payload, err = readPayload(payload, a.stdin); err != nil {
				return err
			}
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			answer, err := c.Invoke(cmd.Context(), i)
			if err != nil {
				return err
			}
			p := a.printer()
			if err := p.Value(answer, func() error { return a.printAnswer(p, answer) }); err != nil {
				return err
			}
			if answer.FunctionError != "" {
				return errors.New("the function ended with an error")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&payload, "payload", "p", "{}", "the event: JSON, @FILE, or - for the standard input")
	f.StringVar(&i.Qualifier, "qualifier", "", "version or alias to call (default $LATEST)")
	f.BoolVar(&i.Log, "log", false, "print the end of the invocation's log to the standard error")
	return cmd
}

// printAnswer prints the payload, and the log where it does not get in its way.
func (a *app) printAnswer(p *present.Printer, answer *client.Answer) error {
	if answer.Log != "" {
		if _, err := io.WriteString(a.stderr, answer.Log); err != nil {
			return err
		}
	}
	return p.Printf("%s\n", answer.Payload)
}

// readPayload returns the event that --payload stands for.
func readPayload(arg string, stdin io.Reader) ([]byte, error) {
	payload, from := []byte(arg), "--payload"
	var err error
	if arg == "-" {
		payload, err = io.ReadAll(stdin)
		from = "the standard input"
	} else if file, ok := strings.CutPrefix(arg, "@"); ok {
		payload, err = os.ReadFile(file)
		from = file
	}
	if err != nil {
		return nil, fmt.Errorf("read the payload: %w", err)
	}
	if !json.Valid(payload) {
		return nil, fmt.Errorf(`%s is not JSON: an event is a JSON value, such as {"name": "world"} or "text" with its quotes`, from)
	}
	return payload, nil
}
