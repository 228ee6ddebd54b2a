package hook

// OnlyPublic is what keeps posts out of private networks.
var OnlyPublic = onlyPublic
