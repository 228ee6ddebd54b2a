// Package bench compares what the product does with what others publish for the same work, in the same run.
//
// The engine's Redis driver stands beside watermill-redisstream, which Watermill's authors publish, on the same server; a supplier's mapping
// beside the same mapping in Bloblang.
package bench
