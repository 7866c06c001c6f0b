package config

// InGoodHands is tested with files of users that there may not be.
var InGoodHands = inGoodHands
