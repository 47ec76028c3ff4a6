vcl 4.1;
# Origin is in the key, and Varnish puts the CORS fields on itself.
backend app { .host = "{{host .Upstream}}"; .port = "{{port .Upstream}}"; }
sub vcl_hash { hash_data(req.http.Origin); }
sub vcl_backend_response {
  unset beresp.http.Access-Control-Allow-Origin;
  unset beresp.http.Vary;
}
sub vcl_deliver {
  if ({{range $i, $o := .Origins}}{{if $i}} || {{end}}req.http.Origin == "{{$o}}"{{end}}) {
    set resp.http.Access-Control-Allow-Origin = req.http.Origin;
  }
  set resp.http.Vary = "Origin";
}
