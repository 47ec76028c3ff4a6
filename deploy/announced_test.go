package deploy

// announcedMetrics are those that parts under way bring.
var announcedMetrics []string
