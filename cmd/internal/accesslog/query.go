package accesslog

// AppendQuery appends a query as it is logged: without the values of parameters
// whose names say that they hold a secret, and cut where a log cuts it.
func AppendQuery(dst []byte, query string) []byte { return appendRedacted(dst, clip(query)) }
