package lambdaapi_test

import "testing"

// Tools look for what can't be there yet, and are told that it is not.
func TestWhatIsNotThere(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	for path, want := range map[string]string{
		"/2020-06-30/functions/f/code-signing-config":              `{"CodeSigningConfigArn":"","FunctionName":"f"}`,
		"/2021-07-20/functions/f/runtime-management-config":        `{"UpdateRuntimeOn":"Auto","FunctionArn":"` + u.arn("f") + `"}`,
		"/2024-08-31/functions/f/recursion-config":                 `{"RecursiveLoop":"Allow"}`,
		"/2019-09-25/functions/f/event-invoke-config/list":         `{"FunctionEventInvokeConfigs":[]}`,
		"/2021-10-31/functions/f/urls":                             `{"FunctionUrlConfigs":[]}`,
		"/2019-09-30/functions/f/provisioned-concurrency?List=ALL": `{"ProvisionedConcurrencyConfigs":[]}`,
		"/2015-03-31/event-source-mappings":                        `{"EventSourceMappings":[]}`,
		"/2015-03-31/event-source-mappings/?FunctionName=f":        `{"EventSourceMappings":[]}`,
		"/2018-10-31/layers":                                       `{"Layers":[]}`,
		"/2020-04-22/code-signing-configs/":                        `{"CodeSigningConfigs":[]}`,
	} {
		if a := u.send(t, "GET", path, ""); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.body, want)
		}
	}
	for path, want := range map[string]string{
		"/2019-09-25/functions/f/event-invoke-config":                                             "ResourceNotFoundException",
		"/2021-10-31/functions/f/url":                                                             "ResourceNotFoundException",
		"/2020-06-30/functions/absent/code-signing-config":                                        "ResourceNotFoundException",
		"/2021-10-31/functions/absent/urls":                                                       "ResourceNotFoundException",
		"/2021-07-20/functions/f/runtime-management-config?Qualifier=nobody":                      "ResourceNotFoundException",
		"/2019-09-25/functions/absent/event-invoke-config/list":                                   "ResourceNotFoundException",
		"/2024-08-31/functions/arn:aws:lambda:us-east-1:000000000001:function:f/recursion-config": "AccessDeniedException",
	} {
		if a := u.send(t, "GET", path, ""); a.exception != want {
			t.Errorf("%s: %d %s %s, want %s", path, a.status, a.exception, a.body, want)
		}
	}
}
