package peer

import "fmt"

// others are programs of other projects, as far as they are installed.
func others() []*Server {
	return []*Server{
		{
			Name: "nginx", About: "nginx, proxy_cache, one worker", program: "nginx", version: []string{"-v"},
			takes: func(Work) bool { return true }, setup: nginx,
		},
	}
}

// nginx has Origin in the key and puts the CORS fields on itself. Its worker
// keeps the user that started it: without root "user" only warns.
func nginx(p Place, w Work) Setup {
	cache := `proxy_cache_path %[1]s/cache levels=1:2 keys_zone=c:8m max_size=256m inactive=1h use_temp_path=off;
`
	use := `proxy_cache c; proxy_cache_key "$scheme$host$request_uri$http_origin"; proxy_ignore_headers Vary;
`
	if w.Miss {
		cache, use = "", ""
	}
	text := fmt.Sprintf(`daemon off; user root; worker_processes 1; pid %[1]s/nginx.pid; error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; open_file_cache max=1000 inactive=1h; keepalive_requests 1000000000;
  types { } default_type application/octet-stream;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  `+cache+`
  map $http_origin $allowed { default ""; "%[6]s" $http_origin; "%[7]s" $http_origin; }
  upstream app { server %[2]s; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen %[3]s; listen %[4]s ssl http2;
    ssl_certificate %[5]s; ssl_certificate_key %[5]s; ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      `+use+`proxy_hide_header Access-Control-Allow-Origin; proxy_hide_header Vary;
      add_header Access-Control-Allow-Origin $allowed always; add_header Vary Origin always;
    }
  }
}
`, p.Dir, p.Upstream, p.HTTP, p.HTTPS, p.Both, Origins[0], Origins[1])
	return Setup{Args: []string{"-p", p.Dir, "-c", p.Dir + "/nginx.conf", "-e", "stderr"}, Files: map[string]string{"nginx.conf": text}}
}
