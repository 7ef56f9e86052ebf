package sizing

import "fmt"

// explain writes the sentence.
func (d Decision) explain(p *Policy, s Standing, v *Evidence) Decision {
	need := fmt.Sprintf("executions use up to %.0f MB", d.Need.Highest)
	if p.Quantile < strictQuantile {
		need = fmt.Sprintf("%.4g%% of the executions use up to %.0f MB", p.Quantile*100, d.Need.Quantile)
	}
	if d.Need.Prior {
		need = fmt.Sprintf("the release before this one needed %.0f MB, and this one has not yet proved that it needs less", d.Need.MB)
	}
	t := &v.trial
	switch d.Cause {
	case FewSamples:
		d.Reason = fmt.Sprintf("%d executions are too few to decide; it takes %d.", v.executions, p.Threshold)
	case Fits:
		d.Reason = fmt.Sprintf("%s, and with its margin that is what it has.", capital(need))
		if d.Recommended.Memory > roundUp(d.Need.MB) {
			d.Reason = fmt.Sprintf("%s; the goal %s wants the CPU that comes with more.", capital(need), p.Goal)
		}
	case TooMuch:
		d.Reason = fmt.Sprintf("%s; less than %d MB will do.", capital(need), s.orAsked(p).Memory)
	case Proving:
		proof := p.patience(s, v.last)
		d.Reason = fmt.Sprintf("%s; %d of %d executions have proved the present amount before the next step.", capital(need), t.Executions, proof)
		if t.Executions >= proof {
			d.Reason = fmt.Sprintf("%s; an amount is kept for %s at least before the next step.", capital(need), p.Window)
		}
	case Killed:
		d.Reason = fmt.Sprintf("%d of %d executions ran out of memory at %d MB.", t.Killed+t.Grown, t.Executions, s.orAsked(p).Memory)
	case TooClose:
		d.Reason = fmt.Sprintf("%s, too close to %d MB.", capital(need), s.orAsked(p).Memory)
	case NewRelease:
		d.Reason = fmt.Sprintf("A new release begins with more than the %d MB of the one before it, until its own use is known.", s.orAsked(p).Memory)
	case StarvedCPU:
		d.Reason = fmt.Sprintf("%d of %d executions timed out while they waited for CPU.", t.Starved, t.Executions)
	case AtBound:
		d.Reason = fmt.Sprintf("It needs %.0f MB, and may have %d MB; raise %s.", d.Need.MB, p.Max, TagMax)
	case OutOfBounds:
		d.Reason = fmt.Sprintf("The amount is to be between %d and %d MB.", p.Min, p.Max)
	case Goals:
		d.Reason = fmt.Sprintf("The goal %s wants the CPU that comes with more memory.", p.Goal)
	}
	return d
}

func (s Standing) orAsked(p *Policy) Amount {
	if s.Amount == (Amount{}) {
		return p.amount(p.Asked)
	}
	return s.Amount
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
