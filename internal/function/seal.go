package function

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Sealer makes what is secret unreadable in the store; [account.Registry] is
// one. What was sealed under a name opens under that name only.
type Sealer interface {
	Seal(secret []byte, name string) []byte
	Unseal(sealed []byte, name string) ([]byte, error)
}

// sealName is what the environment variables of a function, in all its
// versions, are sealed under.
func sealName(functionID string) string { return "environment/" + functionID }

// seal returns the content as it is stored: with its environment variables,
// names and values, sealed.
func (c content) seal(s Sealer, functionID string) (content, error) {
	if s == nil || len(c.Config.Environment) == 0 {
		return c, nil
	}
	plain, err := json.Marshal(c.Config.Environment)
	if err != nil {
		return c, err
	}
	c.Sealed = s.Seal(plain, sealName(functionID))
	c.Config.Environment = nil
	return c, nil
}

// unseal is the inverse of seal. What was stored by a Hearth that did not seal
// is as it was.
func (c *content) unseal(s Sealer, functionID string) error {
	if len(c.Sealed) == 0 {
		return nil
	}
	if s == nil {
		return errors.New("environment variables are sealed, and there is no key")
	}
	plain, err := s.Unseal(c.Sealed, sealName(functionID))
	if err != nil {
		return fmt.Errorf("environment variables: %w", err)
	}
	c.Sealed = nil
	return json.Unmarshal(plain, &c.Config.Environment)
}

// encode returns the record as it is stored.
func (r *record) encode(s Sealer) ([]byte, error) {
	stored := *r
	var err error
	if stored.Wanted, err = r.Wanted.seal(s, r.ID); err != nil {
		return nil, err
	}
	for _, c := range []**content{&stored.Serving, &stored.Previous} {
		if *c == nil {
			continue
		}
		sealed, err := (*c).seal(s, r.ID)
		if err != nil {
			return nil, err
		}
		*c = &sealed
	}
	return json.Marshal(&stored)
}

// decodeRecord is the inverse of encode.
func decodeRecord(value []byte, s Sealer) (*record, error) {
	r := new(record)
	if err := json.Unmarshal(value, r); err != nil {
		return nil, err
	}
	for _, c := range []*content{&r.Wanted, r.Serving, r.Previous} {
		if c == nil {
			continue
		}
		if err := c.unseal(s, r.ID); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// encode returns a version's body as it is stored.
func (b *body) encode(s Sealer, functionID string) ([]byte, error) {
	stored := *b
	var err error
	if stored.content, err = b.seal(s, functionID); err != nil {
		return nil, err
	}
	return json.Marshal(&stored)
}

// decodeBody is the inverse of encode.
func decodeBody(value []byte, s Sealer, functionID string) (*body, error) {
	b := new(body)
	if err := json.Unmarshal(value, b); err != nil {
		return nil, err
	}
	return b, b.unseal(s, functionID)
}
