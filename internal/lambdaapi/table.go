package lambdaapi

import (
	"net/http"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
)

// state is what Hearth does of an operation.
type state int

const (
	planned state = iota // validated, then refused with status 501
	none                 // reads what can't be made yet: there is none
	works
)

// entry is what Hearth has for an operation.
type entry struct {
	state state
	serve handler
	note  string // for docs/compatibility.md: what differs from Lambda
}

// table says what Hearth does of which operation. Those of the API that are not
// here are planned. docs/compatibility.md is made from it; `go generate` does
// that, and a test sees to it that it was done.
//
//go:generate go test -run TestCompatibilityPage -update .
var table = map[string]entry{
	"CreateFunction": {works, answers((*call).createFunction), "Zip packages, in the request or from an S3-compatible service. " +
		"Layers, container images, file systems, durable and tenant configurations are refused; see [Settings](#settings)."},
	"GetFunction":                 {works, answers((*call).getFunction), "Code.Location is a link to this Hearth, valid for 10 minutes."},
	"GetFunctionConfiguration":    {works, answers((*call).getFunctionConfiguration), ""},
	"ListFunctions":               {works, answers((*call).listFunctions), ""},
	"UpdateFunctionCode":          {works, answers((*call).updateFunctionCode), "Sources as for CreateFunction."},
	"UpdateFunctionConfiguration": {works, answers((*call).updateFunctionConfiguration), "Settings as for CreateFunction."},
	"DeleteFunction":              {works, answers((*call).deleteFunction), ""},

	"Invoke": {works, nil, "RequestResponse and DryRun. Event is refused with status 501."}, // serveInvoke

	"PublishVersion":         {works, answers((*call).publishVersion), ""},
	"ListVersionsByFunction": {works, answers((*call).listVersionsByFunction), ""},
	"CreateAlias":            {works, answers((*call).createAlias), ""},
	"GetAlias":               {works, answers((*call).getAlias), ""},
	"ListAliases":            {works, answers((*call).listAliases), ""},
	"UpdateAlias":            {works, answers((*call).updateAlias), ""},
	"DeleteAlias":            {works, does((*call).deleteAlias), ""},

	"TagResource":   {works, does((*call).tagResource), "Functions."},
	"UntagResource": {works, does((*call).untagResource), "Functions."},
	"ListTags":      {works, answers((*call).listTags), "Functions."},

	"PutFunctionConcurrency":             {works, answers((*call).putFunctionConcurrency), ""},
	"GetFunctionConcurrency":             {works, answers((*call).getFunctionConcurrency), ""},
	"DeleteFunctionConcurrency":          {works, does((*call).deleteFunctionConcurrency), ""},
	"PutProvisionedConcurrencyConfig":    {works, answers((*call).putProvisionedConcurrencyConfig), "Environments are kept by the node; see [Provisioned concurrency](#provisioned-concurrency)."},
	"GetProvisionedConcurrencyConfig":    {works, answers((*call).getProvisionedConcurrencyConfig), ""},
	"ListProvisionedConcurrencyConfigs":  {works, answers((*call).listProvisionedConcurrencyConfigs), ""},
	"DeleteProvisionedConcurrencyConfig": {works, does((*call).deleteProvisionedConcurrencyConfig), ""},
	"GetAccountSettings":                 {works, answers((*call).getAccountSettings), ""},

	"AddPermission":    {works, answers((*call).addPermission), "Enforced for other accounts of this Hearth; see [Permissions](#permissions)."},
	"RemovePermission": {works, does((*call).removePermission), ""},
	"GetPolicy":        {works, answers((*call).getPolicy), ""},

	"GetFunctionCodeSigningConfig":   {none, answers((*call).getFunctionCodeSigningConfig), ""},
	"ListCodeSigningConfigs":         {none, answers((*call).listCodeSigningConfigs), ""},
	"GetRuntimeManagementConfig":     {none, answers((*call).getRuntimeManagementConfig), "Always Auto: functions run on what the node has."},
	"GetFunctionRecursionConfig":     {none, answers((*call).getFunctionRecursionConfig), "Always Allow: loops are not looked for."},
	"GetFunctionEventInvokeConfig":   {none, answers((*call).getFunctionEventInvokeConfig), ""},
	"ListFunctionEventInvokeConfigs": {none, answers((*call).listFunctionEventInvokeConfigs), ""},
	"GetFunctionUrlConfig":           {none, answers((*call).getFunctionURLConfig), ""},
	"ListFunctionUrlConfigs":         {none, answers((*call).listFunctionURLConfigs), ""},
	"ListEventSourceMappings":        {none, answers((*call).listEventSourceMappings), ""},
	"ListLayers":                     {none, answers((*call).listLayers), ""},
}

// handlerOf returns what serves an operation.
func handlerOf(op *model.Operation) handler {
	if e := table[op.Name]; e.serve != nil {
		return e.serve
	}
	return func(c *call, _ model.Document, _ http.ResponseWriter) error { return notImplemented(c.op.Name) }
}
