// Package present shows results to whoever reads them: aligned tables with
// colour on a terminal, tab-separated lines elsewhere, JSON for programs.
//
// A [Printer] knows which of these it is. Commands give it data and never ask.
package present
