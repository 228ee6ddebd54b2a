package app

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// The rooms name their settings as their Go code does; who reads a refusal has the YAML file open, where they have other names.
var (
	numbered = regexp.MustCompile(`^(?:fhir api|identity): config: (issuer|client) (\d+): `)
	roomName = regexp.MustCompile(`^(?:fhir api|identity): config: `)
)

// inYAML rewrites the refusals of the FHIR API's configuration, a line each, into the names of the file.
func inYAML(err error) error {
	if err == nil {
		return nil
	}
	names := strings.NewReplacer("JWKSFile", "jwksFile", "JWKSURL", "jwksUrl", "Algorithms", "algorithms", "MaxLifetime", "maxLifetime",
		"Audience", "audience", "Claims.Client", "claims.client", "Claims needs User, RoleCode and Organisation", "claims needs user, roleCode and organisation",
		"TokenSHA256", "token", "Certificate", "certificate", "ClientCAs", "fhir.clientCA", "DeviceID", "deviceId", "ODSCode", "odsCode",
		"Development", "fhir.development", "Proxies", "fhir.proxies", "PublicURL", "listen.publicUrl", "BasePath", "listen.basePath",
		"HL7V3 begins", "listen.hl7v3 begins", "SystemID", "systemId", "Wait ", "listen.wait ", "Timeout", "fhir.timeout", "PageSize", "fhir.pageSize",
		"PageLife", "fhir.pageLife", "neither CanQuery nor CanSend is set, and no Authority", "rights is empty", "limit: config: PerSecond", "fhir.limits.perSecond",
		"limit: config: Burst", "fhir.limits.burst", "clients ", "trusts ", "Name is missing: what its tokens say in iss", "issuer is missing: what its tokens say in iss",
		"Name is not", "name is not")
	var out []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if m := numbered.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[2]) // digits, by the expression
			at := map[string]string{"issuer": "fhir.issuers", "client": "trusts"}[m[1]] + "[" + strconv.Itoa(n-1) + "]: "
			line = at + strings.TrimPrefix(line, m[0])
		}
		out = append(out, errors.New(names.Replace(roomName.ReplaceAllString(line, ""))))
	}
	return errors.Join(out...)
}
