package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
)

const (
	// hookTries and hookPause: a hook that could not run, because the node was
	// full or the account at its limit, is tried again so often.
	hookTries = 10
	hookPause = 3 * time.Second
	// maxQuote is how much of a hook's answer an event repeats.
	maxQuote = 300
)

// The phases in which hooks are called.
const (
	preTraffic  = "pre-traffic"
	postTraffic = "post-traffic"
)

// hookEvent is what a hook is invoked with.
type hookEvent struct {
	Rollout     string `json:"rollout"`
	Phase       string `json:"phase"`
	Function    string `json:"function"`
	FunctionARN string `json:"functionArn"`
	Alias       string `json:"alias"`
	From        string `json:"from"`
	To          string `json:"to"`
	ToARN       string `json:"toArn"` // of the new version, to try it
	Strategy    string `json:"strategy"`
}

// hookAnswer is what a hook may answer; everything else is a good answer.
type hookAnswer struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

// hookRun is a hook under way, or one that has ended.
type hookRun struct {
	state State // PreHook or PostHook
	done  chan struct{}
	err   error // of the hook; to be read once done is closed
}

func newHookRun(s State) *hookRun { return &hookRun{state: s, done: make(chan struct{})} }

// ended returns whether the hook has, and how.
func (h *hookRun) ended() (bool, error) {
	select {
	case <-h.done:
		return true, h.err
	default:
		return false, nil
	}
}

// hookName is the hook of the record's state.
func (r *record) hookName() string {
	if r.State == PreHook {
		return r.PreHook
	}
	return r.PostHook
}

// event is what the hook of the record's state is invoked with.
func (r *record) event(view *function.View) ([]byte, error) {
	phase := preTraffic
	if r.State == PostHook {
		phase = postTraffic
	}
	return json.Marshal(hookEvent{
		Rollout: r.ID, Phase: phase, Function: r.Function, FunctionARN: view.ARN, Alias: r.Alias,
		From: r.From, To: r.To, ToARN: view.QualifiedARN(r.To), Strategy: r.Strategy,
	})
}

// callHook invokes a hook and returns why it did not agree, nil when it did.
func callHook(ctx context.Context, invoker Invoker, owner account.ID, name string, event []byte) error {
	function, qualifier, _ := strings.Cut(name, ":")
	for try := 1; ; try++ {
		answer, err := invoker.Invoke(ctx, &invoke.Request{
			Account: owner, Name: function, Qualifier: qualifier, RequestID: uuid.NewString(), Payload: event,
		})
		var notRun *invoke.Error
		switch {
		case err == nil:
			if answer.Finish != nil {
				answer.Finish()
			}
			return judgeHook(answer)
		case errors.As(err, &notRun) && try < hookTries &&
			(notRun.Kind == invoke.KindThrottled || notRun.Kind == invoke.KindNoCapacity || notRun.Kind == invoke.KindNotReady):
		default:
			return fmt.Errorf("it could not be invoked: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(hookPause):
		}
	}
}

func judgeHook(answer *invoke.Response) error {
	quote := string(answer.Payload[:min(len(answer.Payload), maxQuote)])
	if answer.FunctionError != "" {
		return fmt.Errorf("it ended with an error: %s", quote)
	}
	var said hookAnswer
	if json.Unmarshal(answer.Payload, &said) == nil && strings.EqualFold(said.Status, "failed") {
		if said.Reason != "" {
			quote = said.Reason
		}
		return fmt.Errorf("it says no: %s", quote)
	}
	return nil
}
