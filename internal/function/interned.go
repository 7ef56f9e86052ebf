package function

// internedMax bounds the table of shared strings; beyond it, it is started anew.
const internedMax = 1 << 16

// interned shares one copy of strings that many functions have in common:
// runtimes, roles, handlers, architectures.
type interned map[string]string

func (in interned) string(s string) string {
	if known, ok := in[s]; ok {
		return known
	}
	if len(in) >= internedMax {
		clear(in)
	}
	in[s] = s
	return s
}

// config shares the strings of c, which nobody else has yet.
func (in interned) config(c *Configuration) {
	c.Runtime = in.string(c.Runtime)
	c.Handler = in.string(c.Handler)
	c.Role = in.string(c.Role)
	c.PackageType = in.string(c.PackageType)
	c.TracingMode = in.string(c.TracingMode)
	for i := range c.Architectures {
		c.Architectures[i] = in.string(c.Architectures[i])
	}
	for i := range c.Layers {
		c.Layers[i] = in.string(c.Layers[i])
	}
}
