package code

import "fmt"

// Reason says what is wrong with an archive.
type Reason int

// The reasons of an [InvalidError].
const (
	// NotZip: it can't be read as a zip archive, or is damaged.
	NotZip Reason = iota + 1
	// Empty: there is nothing in it.
	Empty
	// TooLarge: it exceeds a limit, zipped or unzipped.
	TooLarge
	// BadEntry: a file in it may not be there.
	BadEntry
)

// InvalidError refuses an archive, in words that tell its owner what to do.
type InvalidError struct {
	Reason Reason
	// Entry is the file's name in the archive, where one is to blame.
	Entry   string
	Message string
}

func (e *InvalidError) Error() string { return e.Message }

func badZip() error {
	return &InvalidError{Reason: NotZip, Message: "Could not unzip uploaded file. Please check your file, then try to upload again."}
}

func emptyZip() error {
	return &InvalidError{Reason: Empty, Message: "Uploaded file must be a non-empty zip"}
}

func tooLarge(format string, args ...any) error {
	return &InvalidError{Reason: TooLarge, Message: fmt.Sprintf(format, args...)}
}

// badEntry quotes the name, which may hold anything, and not all of a long one.
func badEntry(name, format string, args ...any) error {
	shown := name
	if len(shown) > 120 {
		shown = shown[:120] + "..."
	}
	return &InvalidError{
		Reason:  BadEntry,
		Entry:   name,
		Message: fmt.Sprintf("The archive's entry %q %s", shown, fmt.Sprintf(format, args...)),
	}
}
