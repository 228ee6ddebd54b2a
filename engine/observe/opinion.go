package observe

// SecondOpinion counts a FHIR document that two readers were asked about, by the class of their verdicts: a word of a fixed list.
func (o *Observer) SecondOpinion(class string) { o.metrics.secondOpinions.WithLabelValues(class).Inc() }
