package runtimes

import (
	"testing"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

// An environment whose memory changed tells its function: the variable and the
// context say the new amount, from that invocation on.
func TestFunctionSeesItsAmount(t *testing.T) {
	for family, p := range map[Family]project{
		Python: python("import os\ndef handler(event, context):\n    return [os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'], context.memory_limit_in_mb]\n"),
		NodeJS: nodejs("exports.handler = async (event, context) => [process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, context.memoryLimitInMB]"),
	} {
		eachRuntime(t, family, func(t *testing.T, rt Runtime) {
			e := start(t, rt, p)
			for _, c := range []struct {
				told int
				want string
			}{{0, `["256","256"]`}, {1024, `["1024","1024"]`}, {0, `["1024","1024"]`}, {128, `["128","128"]`}} {
				r := e.invokeWith(runtimeapi.Invocation{Payload: []byte("{}"), MemoryMB: c.told})
				if !sameJSON(t, string(r.Payload), c.want) {
					t.Errorf("told %d: %s, want %s", c.told, r.Payload, c.want)
				}
			}
		})
	}
}
