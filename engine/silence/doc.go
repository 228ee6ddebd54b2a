// Package silence notices who has stopped: an authority whose file did not come, an authority that does not read its mailbox, a trust that does
// not ask any more, a mailbox of ours that nobody polls.
//
// How often a sender is heard is learnt from its own past, by counts and ranks that a person can check ("came on 26 of the last 28 working days,
// by 07:40"), never by a model that cannot say why. What is learnt ends with the last that was heard: a sender that stays silent is not forgotten
// by and by. It reads times and names of the configuration, and no message.
package silence
