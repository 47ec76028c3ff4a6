package deploy

// announcedMetrics are those that parts under way bring.
var announcedMetrics = []string{"veneer_telemetry_dropped_total", "veneer_purges_total"}
