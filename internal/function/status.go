package function

// State is where a function or a version is in its life.
//
//	Create ──► Pending ──CompleteUpdate──► Active ◄──────────────┐
//	              └──────FailUpdate──────► Failed ──UpdateCode───┤ and CompleteUpdate
type State string

// The states Hearth uses. Failed is also a value of [UpdateStatus].
const (
	Pending State = "Pending"
	Active  State = "Active"
	Failed        = "Failed"
)

// UpdateStatus is the fate of the last update of $LATEST. It is empty until
// the function was Active or Failed for the first time.
type UpdateStatus string

// The values of UpdateStatus, besides Failed.
const (
	Successful UpdateStatus = "Successful"
	InProgress UpdateStatus = "InProgress"
)

// The reason Lambda gives for a function or an update that is under way.
const (
	reasonCreating     = "The function is being created."
	reasonCodeCreating = "Creating"
)

// Status is what the API calls State, StateReason, StateReasonCode,
// LastUpdateStatus, LastUpdateStatusReason and LastUpdateStatusReasonCode.
type Status struct {
	State            State        `json:"state"`
	StateReason      string       `json:"stateReason,omitempty"`
	StateReasonCode  string       `json:"stateReasonCode,omitempty"`
	Update           UpdateStatus `json:"update,omitempty"`
	UpdateReason     string       `json:"updateReason,omitempty"`
	UpdateReasonCode string       `json:"updateReasonCode,omitempty"`
}

// created is the status of a new function, and of a version published together
// with a change that no node holds yet.
func created() Status {
	return Status{State: Pending, StateReason: reasonCreating, StateReasonCode: reasonCodeCreating}
}

func settled() Status { return Status{State: Active, Update: Successful} }

// pending reports whether a node has yet to say that it holds the wanted revision.
func (s Status) pending() bool { return s.State == Pending || s.Update == InProgress }

// updating is s after an update was accepted. A function that failed to be
// created stays Failed until an update succeeds.
func (s Status) updating() Status {
	s.Update, s.UpdateReason, s.UpdateReasonCode = InProgress, reasonCreating, reasonCodeCreating
	return s
}

// failed is s after the wanted revision turned out not to work. What served
// before goes on serving, so the State of a function that was Active stays.
func (s Status) failed(code, reason string) Status {
	if s.State == Pending {
		s.State, s.StateReason, s.StateReasonCode = Failed, reason, code
	}
	s.Update, s.UpdateReason, s.UpdateReasonCode = Failed, reason, code
	return s
}
