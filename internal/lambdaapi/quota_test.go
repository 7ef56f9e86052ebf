package lambdaapi_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

func TestReservedConcurrency(t *testing.T) {
	u := newTenant(t)
	f := aws.String("f")
	created := u.create(t, "f", nil)
	settings := func(unreserved int32) {
		t.Helper()
		got, err := u.GetAccountSettings(t.Context(), &lambda.GetAccountSettingsInput{})
		must(t, err)
		if l := got.AccountLimit; l.ConcurrentExecutions != 1000 || *l.UnreservedConcurrentExecutions != unreserved || l.CodeSizeUnzipped != 262144000 || l.CodeSizeZipped != 52428800 || l.TotalCodeSize != 75<<30 {
			t.Errorf("limits %+v", l)
		}
		if got.AccountUsage.FunctionCount != 1 || got.AccountUsage.TotalCodeSize != created.CodeSize {
			t.Errorf("usage %+v", got.AccountUsage)
		}
	}
	settings(1000)
	none, err := u.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: f})
	must(t, err)
	if none.ReservedConcurrentExecutions != nil {
		t.Errorf("%d reserved", *none.ReservedConcurrentExecutions)
	}
	put, err := u.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(0)})
	must(t, err)
	if *put.ReservedConcurrentExecutions != 0 {
		t.Errorf("%d reserved, want 0", *put.ReservedConcurrentExecutions)
	}
	_, err = u.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(300)})
	must(t, err)
	settings(700)
	whole, err := u.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: f})
	must(t, err)
	if *whole.Concurrency.ReservedConcurrentExecutions != 300 {
		t.Errorf("concurrency %+v", whole.Concurrency)
	}
	_, err = u.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(901)})
	refusedWith(t, err, "InvalidParameterValueException", 400, "UnreservedConcurrentExecution below its minimum value of [100]")
	_, err = u.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(-1)})
	refusedWith(t, err, "ValidationException", 400, "reservedConcurrentExecutions")
	_, err = u.DeleteFunctionConcurrency(t.Context(), &lambda.DeleteFunctionConcurrencyInput{FunctionName: f})
	must(t, err)
	settings(1000)
	_, err = u.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String("absent")})
	refusedWith(t, err, "ResourceNotFoundException", 404, "Function not found: "+u.arn("absent"))
}
