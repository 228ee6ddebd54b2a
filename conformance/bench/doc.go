// Package bench compares the engine's Redis driver with the one that Watermill's authors publish, watermill-redisstream, on the same server
// in the same run.
package bench
