package peer

// others are programs of other projects, as far as they are installed.
func others() []*Server {
	return []*Server{
		{
			Name: "nginx", About: "nginx: proxy_cache, one worker", program: "nginx", version: []string{"-v"},
			takes: func(Work) bool { return true }, config: "nginx.conf",
			args: func(v values) []string { return []string{"-p", v.Dir, "-c", v.Dir + "/nginx.conf", "-e", "stderr"} },
		},
		{
			Name: "haproxy", About: "HAProxy: cache, one thread", program: "haproxy", version: []string{"-v"},
			takes: func(Work) bool { return true }, config: "haproxy.cfg",
			args: func(v values) []string { return []string{"-db", "-f", v.Dir + "/haproxy.cfg"} },
		},
		{
			// It has no TLS of its own. It gives up root for users that may not be there,
			// unless it is told to stay who it is. Its log in shared memory is part of it.
			Name: "varnish", About: "Varnish: malloc, one thread pool", program: "varnishd", version: []string{"-V"},
			takes: func(w Work) bool { return w.Protocol == HTTP1 && !w.Miss }, config: "varnish.vcl",
			args: func(v values) []string {
				return []string{"-j", "none", "-F", "-n", v.Dir, "-a", v.HTTP, "-f", v.Dir + "/varnish.vcl", "-s", "malloc,64m", "-p", "thread_pools=1"}
			},
		},
		{
			// Squid has no HTTP/2.
			Name: "squid", About: "Squid: cache_mem, one process", program: "squid", version: []string{"-v"},
			takes: func(w Work) bool { return w.Protocol != HTTP2 && !w.Miss }, config: "squid.conf",
			args: func(v values) []string { return []string{"-N", "-d", "1", "-f", v.Dir + "/squid.conf"} },
		},
		{
			Name: "trafficserver", About: "Apache Traffic Server: RAM cache, one event thread", program: "traffic_server", version: []string{"-V"},
			takes: func(w Work) bool { return !w.Miss }, config: "trafficserver",
			args: func(v values) []string { return []string{"--run-root=" + v.Dir + "/runroot.yaml"} },
		},
	}
}
