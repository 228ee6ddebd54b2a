import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;

/** Usage: java BatchValidate.java SCHEMAS DIR. Prints "valid NAME" or "refused NAME: why" for each file of DIR; each schema is read once. */
public class BatchValidate {
    public static void main(String[] args) throws Exception {
        System.setProperty("jdk.xml.maxOccurLimit", "0");
        Map<String, String> names = Map.of("File", "REPC_MT000002GB01", "FileResponse", "REPC_MT000003GB01",
            "CP-ISAccessToServiceNotification", "REPC_MT000004GB01", "CP-ISInactiveNHSNumberNotification", "REPC_MT000005GB01",
            "CP-ISQueryStub", "QUPC_MT000006GB01", "CP-ISNHSQueryResponse", "REPC_MT000007GB01");
        Map<String, Schema> schemas = new HashMap<>();
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        DocumentBuilderFactory parsers = DocumentBuilderFactory.newInstance();
        parsers.setNamespaceAware(true);
        List<Path> files;
        try (var all = Files.list(Path.of(args[1]))) {
            files = all.toList();
        }
        for (Path p : files) {
            String root = parsers.newDocumentBuilder().parse(p.toFile()).getDocumentElement().getLocalName();
            if (!schemas.containsKey(root)) {
                schemas.put(root, factory.newSchema(new File(args[0], names.get(root) + ".xsd")));
            }
            try {
                schemas.get(root).newValidator().validate(new StreamSource(p.toFile()));
                System.out.println("valid " + p.getFileName());
            } catch (org.xml.sax.SAXParseException e) {
                System.out.println("refused " + p.getFileName() + ": " + e.getMessage().replace('\n', ' '));
            }
        }
    }
}
