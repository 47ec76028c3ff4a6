// Command loadtest puts the built program under load and faults, scenario by
// scenario, looks at every answer, and fails when a promise is broken:
//
//	go run ./loadtest -short
//	go run ./loadtest -scenario gone,flood -duration 60s -rate 500 -out report.html
//
// Exit codes: 0 every promise was kept, 1 one was broken, 2 usage, 3 it could
// not be carried out. README.md says how to read the report.
package main
