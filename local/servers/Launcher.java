// Starts a Java server that must not outlive the process that started it, nor be reached from another machine.
// Run as a single source file: java -cp <jars> Launcher.java <main class> <arguments>.

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.util.Arrays;

public class Launcher {
    private static final String DYNAMODB = "software.amazon.dynamodb.services.local.main.ServerRunner";

    public static void main(String[] args) throws Exception {
        endWithParent();
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        if (args[0].equals(DYNAMODB)) {
            startDynamoDb(rest);
        } else {
            Class.forName(args[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
        }
    }

    /** Standard input is a pipe that only the parent holds: its end is the parent's end, however that came. */
    private static void endWithParent() {
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Nothing is ever sent.
                }
            } catch (java.io.IOException ended) {
                // The same as the end of the stream.
            }
            Runtime.getRuntime().halt(0);
        }, "parent-watch");
        watch.setDaemon(true);
        watch.start();
    }

    /** DynamoDB Local binds every interface and has no option for it: its connectors are told before they open. */
    private static void startDynamoDb(String[] args) throws Exception {
        Object proxy = Class.forName(DYNAMODB)
                .getMethod("createServerFromCommandLineArgs", String[].class)
                .invoke(null, (Object) args);
        Field field = proxy.getClass().getDeclaredField("server");
        field.setAccessible(true);
        Object jetty = field.get(proxy);
        Object connectors = jetty.getClass().getMethod("getConnectors").invoke(jetty);
        for (int index = 0; index < Array.getLength(connectors); index++) {
            Object connector = Array.get(connectors, index);
            connector.getClass().getMethod("setHost", String.class).invoke(connector, "127.0.0.1");
        }
        proxy.getClass().getMethod("start").invoke(proxy);
        Thread.currentThread().join();
    }
}
