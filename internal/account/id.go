package account

// ID is the 12-digit number of an account, as it stands in every ARN.
type ID string
