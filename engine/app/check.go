package app

// Check reports what Run would refuse before it starts anything: the configuration, the mapping folders and the routes.
func Check(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	loaded, err := openMappings(cfg)
	if err != nil {
		return err
	}
	_, err = cfg.routes(loaded)
	return err
}
