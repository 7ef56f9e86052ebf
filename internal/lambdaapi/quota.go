package lambdaapi

import (
	"fmt"

	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

func (c *call) putFunctionConcurrency(in *wire.PutFunctionConcurrencyRequest) (*wire.Concurrency, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.SetReserved(c.ctx, t.Key, int(*in.ReservedConcurrentExecutions))
	if err != nil {
		return nil, err
	}
	return &wire.Concurrency{ReservedConcurrentExecutions: new(int64(view.Reserved))}, nil
}

func (c *call) getFunctionConcurrency(in *wire.GetFunctionConcurrencyRequest) (*wire.GetFunctionConcurrencyResponse, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	out := &wire.GetFunctionConcurrencyResponse{}
	if view.Reserved != function.NoReservation {
		out.ReservedConcurrentExecutions = new(int64(view.Reserved))
	}
	return out, nil
}

func (c *call) deleteFunctionConcurrency(in *wire.DeleteFunctionConcurrencyRequest) error {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return err
	}
	_, err = c.opts.Catalog.ClearReserved(c.ctx, t.Key)
	return err
}

func (c *call) getAccountSettings(*wire.GetAccountSettingsRequest) (*wire.GetAccountSettingsResponse, error) {
	account, ok := c.opts.Accounts.Account(c.caller)
	if !ok {
		return nil, fmt.Errorf("account %s has a key and is not there", c.caller)
	}
	usage := c.opts.Catalog.Usage(c.caller)
	return &wire.GetAccountSettingsResponse{
		AccountLimit: &wire.AccountLimit{
			TotalCodeSize:                  new(account.CodeStorageBytes),
			CodeSizeUnzipped:               new(int64(code.DefaultMaxUnzipped)),
			CodeSizeZipped:                 new(int64(code.DefaultMaxZipped)),
			ConcurrentExecutions:           new(int64(account.Concurrency)),
			UnreservedConcurrentExecutions: new(int64(account.Concurrency - usage.Reserved - usage.Provisioned)),
		},
		AccountUsage: &wire.AccountUsage{
			TotalCodeSize: new(usage.CodeBytes),
			FunctionCount: new(int64(usage.FunctionCount)),
		},
	}, nil
}
