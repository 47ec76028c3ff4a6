package deploy

// announcedMetrics are those that parts under way bring.
var announcedMetrics = []string{
	"veneer_config_reloads_total", "veneer_config_last_reload_successful", "veneer_config_loaded_timestamp_seconds",
	"veneer_telemetry_dropped_total", "veneer_purges_total",
}
