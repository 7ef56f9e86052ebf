package lambdaapi

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

// maxPage is how many items a page has at most, whatever MaxItems says, as in
// Lambda.
const maxPage = 50

// marker is where the next page begins: after this function, and after this
// version or alias of it. It is opaque to clients.
type marker struct {
	Function string `json:"f,omitempty"`
	Version  int    `json:"v,omitempty"`
	Alias    string `json:"a,omitempty"`
}

func (m marker) String() string {
	b, _ := json.Marshal(m) // strings and a number: can't fail
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseMarker(s *string) (m marker, err error) {
	if s == nil || *s == "" {
		return m, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*s)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, refuse(invalidParameter, "The pagination token is invalid.")
	}
	return m, nil
}

func pageSize(maxItems *int64) int {
	if maxItems == nil {
		return maxPage
	}
	return int(min(*maxItems, maxPage))
}

// pageOf cuts the page out of sorted names that a request asks for, and returns
// the marker of the next one, nil on the last.
func pageOf(names []string, from *string, maxItems *int64) (page []string, next *string, err error) {
	after, err := parseMarker(from)
	if err != nil {
		return nil, nil, err
	}
	begin, found := slices.BinarySearch(names, after.Alias)
	if found {
		begin++
	}
	page = names[begin:]
	if size := pageSize(maxItems); len(page) > size {
		page = page[:size]
		next = new(marker{Alias: page[size-1]}.String())
	}
	return page, next, nil
}

func versionName(number int) string {
	if number == 0 {
		return function.Latest
	}
	return strconv.Itoa(number)
}

func (c *call) listFunctions(in *wire.ListFunctionsRequest) (*wire.ListFunctionsResponse, error) {
	after, err := parseMarker(in.Marker)
	if err != nil {
		return nil, err
	}
	size := pageSize(in.MaxItems)
	out := &wire.ListFunctionsResponse{Functions: []wire.FunctionConfiguration{}}
	if region := value(in.MasterRegion); region != "" && region != "ALL" && region != c.opts.Region {
		return out, nil // functions replicated from elsewhere: there are none
	}
	if value(in.FunctionVersion) == "ALL" {
		return out, c.listAllVersions(out, after, size)
	}
	views, more := c.opts.Catalog.List(c.caller, after.Function, size)
	for _, v := range views {
		if err := c.appendVersion(&out.Functions, v, "", v.ARN); err != nil {
			return nil, err
		}
	}
	if more {
		out.NextMarker = new(marker{Function: views[len(views)-1].Name}.String())
	}
	return out, nil
}

// listAllVersions lists $LATEST and the versions of every function.
func (c *call) listAllVersions(out *wire.ListFunctionsResponse, after marker, size int) error {
	// The marker's function may have versions left.
	if v, ok := c.opts.Catalog.Lookup(function.Key{Account: c.caller, Name: after.Function}); ok {
		full, err := c.appendVersions(&out.Functions, v, after.Version, size)
		if err != nil || full != nil {
			out.NextMarker = full
			return err
		}
	}
	for name, more := after.Function, true; more; {
		var views []*function.View
		views, more = c.opts.Catalog.List(c.caller, name, size)
		for _, v := range views {
			if len(out.Functions) == size {
				out.NextMarker = new(marker{Function: name, Version: lastNumber(out.Functions)}.String())
				return nil
			}
			full, err := c.appendVersions(&out.Functions, v, -1, size)
			if err != nil || full != nil {
				out.NextMarker = full
				return err
			}
			name = v.Name
		}
	}
	return nil
}

// lastNumber is the number of the last version in a list, 0 for $LATEST.
func lastNumber(list []wire.FunctionConfiguration) int {
	n, err := strconv.Atoi(*list[len(list)-1].Version)
	if err != nil {
		return 0
	}
	return n
}

// appendVersions adds the versions of a function with numbers above after,
// $LATEST being 0, until the list has size items; then it returns the marker
// of the next page.
func (c *call) appendVersions(list *[]wire.FunctionConfiguration, v *function.View, after, size int) (*string, error) {
	last := after
	for _, number := range append([]int{0}, v.VersionNumbers()...) {
		if number <= after {
			continue
		}
		if len(*list) == size {
			return new(marker{Function: v.Name, Version: last}.String()), nil
		}
		qualifier := versionName(number)
		if err := c.appendVersion(list, v, qualifier, v.QualifiedARN(qualifier)); err != nil {
			return nil, err
		}
		last = number
	}
	return nil, nil
}

func (c *call) appendVersion(list *[]wire.FunctionConfiguration, v *function.View, qualifier, arn string) error {
	d, err := v.Describe(qualifier)
	if err != nil {
		return err
	}
	config, err := c.configuration(d, arn)
	if err != nil {
		return err
	}
	*list = append(*list, *config)
	return nil
}

func (c *call) listVersionsByFunction(in *wire.ListVersionsByFunctionRequest) (*wire.ListVersionsByFunctionResponse, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	from := -1
	if value(in.Marker) != "" {
		after, err := parseMarker(in.Marker)
		if err != nil {
			return nil, err
		}
		from = after.Version
	}
	out := &wire.ListVersionsByFunctionResponse{Versions: []wire.FunctionConfiguration{}}
	out.NextMarker, err = c.appendVersions(&out.Versions, view, from, pageSize(in.MaxItems))
	return out, err
}

func (c *call) publishVersion(in *wire.PublishVersionRequest) (*wire.FunctionConfiguration, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != nil {
		return nil, notImplemented("PublishTo")
	}
	view, version, err := c.opts.Catalog.PublishVersion(c.ctx, t.Key, function.PublishInput{
		CodeSHA256: value(in.CodeSha256), RevisionID: value(in.RevisionId), Description: value(in.Description),
	})
	if err != nil {
		return nil, err
	}
	return c.describe(view, version.Version)
}
