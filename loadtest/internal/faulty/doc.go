// Package faulty is an upstream that misbehaves as it is told to, on the
// loopback. What is to happen stands in each URL (Doc), so that a test decides
// it with the request, and the upstream writes down what it did (Tally): an
// error that a client sees is either in that book or not the upstream's. As a
// whole it can be gone and come back.
package faulty
