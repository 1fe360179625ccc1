# ruff: noqa: E501 - a pattern is one line
"""What attacks say, by meaning, in many languages: a concept is present or it is not.

Patterns are for RE2, over normalised lower-case text. They are signs for a classifier that weighs
them, not rules: most of them also stand in honest prompts.
"""

from collections.abc import Mapping

_GAP = r"[^.!?\n]{0,40}?"
_SHORT = r"[^.!?\n]{0,16}?"
_BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|initial|original|former|existing|current|past|foregoing|all|any|every"
    r"|your|the|these|those|system|developer|given|default|openai'?s?)"
)
_ORDERS = (
    r"(?:instructions?|prompts?|rules?|directions?|directives?|guidelines?|guidance|commands?|orders?|context|texts?"
    r"|conversations?|messages?|training|programming|constraints?|restrictions|polic(?:y|ies)|principles|requests?"
    r"|settings|assignments?|tasks?|protocols?|safeguards?|filters?|inputs?)"
)

CONCEPTS: Mapping[str, tuple[str, ...]] = {
    "override": (
        rf"\b(?:ignor\w*|disregard\w*|forget\w*|overrid\w*|overrul\w*|bypass\w*|neglect|discard\w*|overlook\w*|dismiss|drop|erase|delete|clear|abandon|skip|reset|cancel|nullify|void|suspend|disobey){_GAP}\b{_BEFORE}\b{_GAP}\b{_ORDERS}\b",
        rf"\b(?:do not|don'?t|stop|no longer|never|cease to|quit) (?:follow|obey|observe|adher|comply|listen|pay attention|respect|apply|use|consider|need){_GAP}\b{_BEFORE}\b{_GAP}\b{_ORDERS}\b",
        r"\b(?:forget|ignore|disregard) (?:about )?(?:everything|all(?: of)?(?: that| this| what)?|anything|what(?:ever)?)\b[^.!?\n]{0,30}?(?:above|before|prior|previous|earlier|so far|said|told|know|learn|wrote|given|preceding|until now)",
        r"\b(?:ignore|disregard|forget|skip) (?:the )?(?:above|previous|preceding|prior|rest)\b",
        r"(?:vergiss|ignorier\w*|missacht\w*|überspring\w*|verwirf|lösche|umgehe|vernachlässige)[^.!?\n]{0,50}?(?:anweisung|instruktion|befehl|regel|vorgabe|prompt|zuvor|vorher|bisher|oben|obige|davor|kontext|alles|richtlinie|aufgabe|anordnung)",
        r"(?:ignor\w+|oubli\w+|néglig\w+|fais abstraction|ne (?:tiens|tenez) pas compte|contourne\w*|passe outre)[^.!?\n]{0,50}?(?:instruction|consigne|directive|règle|ordre|prompt|précédent|ci-dessus|avant|au-dessus|message|contexte)",
        r"(?:ignor\w+|olvid\w+|haz caso omiso|desestim\w+|omit\w+|descart\w+|no (?:sigas|hagas caso|tengas en cuenta))[^.!?\n]{0,50}?(?:instruccion|indicacion|orden|órden|regla|directri|prompt|anterior|previ|arriba|mensaje|contexto|todo)",
        r"(?:ignor\w+|esque[cç]\w+|desconsider\w+|desobede\w+|descart\w+)[^.!?\n]{0,50}?(?:instruç|instruc|ordens|regra|diretri|comando|prompt|anterior|acima|prévi|mensage|contexto|tudo)",
        r"(?:ignora\w*|dimentica\w*|trascura\w*|tralascia|non seguire)[^.!?\n]{0,50}?(?:istruzion|ordin|regol|direttiv|prompt|precedent|sopra|prima|messagg|contesto|tutto)",
        r"(?:negeer|vergeet|sla over|veronachtzaam)[^.!?\n]{0,50}?(?:instructie|opdracht|regel|richtlijn|prompt|vorige|eerdere|voorgaande|hierboven|alles)",
        r"(?:zignoruj|ignoruj|zapomnij|pomiń|nie zważaj|odrzuć)[^.!?\n]{0,50}?(?:instrukcj|poleceni|zasad|reguł|wytyczn|prompt|poprzedni|wcześniejsz|powyższ|wszystk)",
        r"(?:игнориру\w*|проигнориру\w*|забуд\w*|не обращай|отбрось|пренебрег\w*|отмени)[^.!?\n]{0,50}?(?:инструкц|указани|правил|команд|промпт|предыдущ|выше|прежн|всё|все|ограничени|сообщени)",
        r"(?:ігноруй|проігноруй|забудь)[^.!?\n]{0,50}?(?:інструкц|вказівк|правил|команд|попередн|вище|все)",
        r"(?:talimat|yönerge|komut|kural|önceki|yukarıdaki|istem)[^.!?\n]{0,50}?(?:yok say|görmezden gel|unut|dikkate alma|göz ardı|boş ver|takip etme)",
        r"(?:bỏ qua|quên|phớt lờ|đừng làm theo|không tuân theo)[^.!?\n]{0,50}?(?:hướng dẫn|chỉ dẫn|lệnh|quy tắc|chỉ thị|trước|trên|tất cả|mọi)",
        r"(?:abaikan|lupakan|acuhkan|jangan ikuti)[^.!?\n]{0,50}?(?:instruksi|perintah|aturan|arahan|sebelumnya|di atas|semua|petunjuk|prompt)",
        r"(?:忽略|无视|忘记|忘掉|忽視|無視|不要理会|不用管|抛开|丢弃|跳过|別理會|不理会)[^。！？\n]{0,24}?(?:指令|指示|提示|规则|規則|命令|要求|以上|之前|先前|前面|上面|所有|设定|設定|限制|内容|對話|对话)",
        r"(?:指示|指令|命令|ルール|規則|プロンプト|上記|以前|これまで|制約|制限)[^。！？\n]{0,24}?(?:無視|忘れ|破棄|従わな|リセット)",
        r"(?:지시|명령|규칙|프롬프트|이전|위의|앞의|지침|제한|내용)[^.!?\n]{0,24}?(?:무시|잊어|잊고|잊으|따르지|초기화|버려)",
        r"(?:تجاهل|انس|انسَ|لا تتبع|تخط|اهمل|أهمل)[^.!?\n]{0,50}?(?:تعليمات|التعليمات|أوامر|الأوامر|قواعد|القواعد|السابقة|أعلاه|كل ما|توجيهات|سابق)",
        r"(?:निर्देश|आदेश|नियम|पिछले|पहले के|ऊपर|संदेश|प्रॉम्प्ट)[^.!?।\n]{0,50}?(?:अनदेखा|नज़रअंदाज|नजरअंदाज|भूल|उपेक्षा|न मान)",
        r"(?:puuza|sahau)[^.!?\n]{0,40}?(?:maagizo|maelekezo|amri)|(?:উপেক্ষা|ভুলে)[^.!?\n]{0,40}?(?:নির্দেশ|আদেশ)|(?:নির্দেশ|আদেশ)[^.!?\n]{0,40}?(?:উপেক্ষা|ভুলে)|(?:เพิกเฉย|ลืม|ละเว้น|ไม่ต้องสนใจ)[^.!?\n]{0,40}?(?:คำสั่ง|กฎ|คำแนะนำ|ก่อนหน้า)",
        r"(?:αγνόησε|ξέχνα|παράβλεψε)[^.!?\n]{0,40}?(?:οδηγ|εντολ|κανόν|προηγούμεν)|(?:התעלם|שכח)[^.!?\n]{0,40}?(?:הוראות|הנחיות|כללים|הקודמ)|(?:نادیده|فراموش)[^.!?\n]{0,40}?(?:دستور|قوانین|قبلی)|(?:دستور|قوانین|قبلی)[^.!?\n]{0,40}?(?:نادیده|فراموش)",
        r"(?:ignorera|glöm|bortse)[^.!?\n]{0,40}?(?:instruktion|regl|tidigare|ovan)|(?:ignorer|glem|se bort)[^.!?\n]{0,40}?(?:instruks|regl|tidligere|ovenfor)|(?:ignoruj|zapomeň)[^.!?\n]{0,40}?(?:pokyn|instrukc|pravid|předchoz)|(?:ignoră|uită)[^.!?\n]{0,40}?(?:instruc|regul|anterioare)|(?:hagyd figyelmen kívül|felejtsd el)[^.!?\n]{0,40}?(?:utasítás|szabály|korábbi|előző)",
    ),
    "new_task": (
        r"\b(?:new|updated|revised|real|actual|true|additional|special|priority|urgent|final|hidden|secret|further|important) (?:instructions?|tasks?|rules?|objectives?|directives?|orders?|commands?|roles?|prompt|guidelines)\b ?(?:[:.\-—]|are|is|for|from|follow)",
        r"\byour (?:new|real|only|true|actual|sole|next|main|primary|current) (?:task|goal|objective|instruction|job|role|purpose|mission|directive|function|identity|name)\b",
        r"\b(?:instead|and then|now|just|simply|only)[,:]? (?:just )?(?:say|print|output|respond|reply|write|answer|return|type|repeat|tell|do|perform|execute)\b",
        r"\b(?:after|once|when|before) (?:you )?(?:that|doing|finish|complet|answer|translat|summar|read|respond)\w*[^.!?\n]{0,40}?\b(?:say|print|output|respond|reply|write|send|tell|add|include|append|execute|run)\b",
        r"\b(?:stop (?:everything|what you|doing|immediately)|halt all|pause your|change of plans|end of (?:the )?(?:task|prompt|instructions|document|email|text|context|input|conversation|message))",
        r"neue (?:anweisung|aufgabe|instruktion|regel)|nouvelle? (?:instruction|tâche|consigne|directive)|nueva? (?:instrucci|tarea|orden)|nova (?:instru|tarefa|ordem)|nuov[ae] (?:istruzion|attivit|ordin|compito)|нов(?:ая|ые|ое) (?:инструкц|задач|задани|указани|правил)|新(?:的)?(?:指令|任务|任務|指示|规则|命令)|新しい(?:指示|タスク|命令|ルール)|새로운 (?:지시|명령|작업|규칙|임무)|تعليمات جديدة|مهمة جديدة|नया (?:निर्देश|कार्य)|नए निर्देश|yeni (?:talimat|görev)|instruksi baru|tugas baru|nowe (?:instrukcj|zadani|poleceni)|nhiệm vụ mới|hướng dẫn mới|chỉ thị mới",
    ),
    "extraction": (
        r"\b(?:reveal|show|print|repeat|output|display|tell|give|write|disclose|leak|expose|summari[sz]e|translate|recite|share|dump|list|copy|type|return|provide|echo|spell|encode|state|quote|describe|explain|paraphrase|rephrase|describe|what(?:'s| is| are| was| were)|know|read|see|access|extract|export|render|append|include|send)\b[^.!?\n]{0,40}?\b(?:system|initial|original|hidden|secret|internal|base|pre-?|first|starting|opening|developer|custom|confidential|core|underlying|complete|full|entire|exact|your|assistant)[ -]{1,2}(?:\w+ ){0,2}?(?:prompts?|instructions?|messages?|rules|guidelines|directives?|configuration|context|preamble|programming|constraints|system message)\b",
        r"\b(?:repeat|print|output|return|copy|type|write|show|recite|echo|translate|summari[sz]e|give|put|include|paste|state|list)\b[^.!?\n]{0,30}?\b(?:words?|text|everything|all|content|sentences?|lines?|paragraphs?|instructions?|message|prompt|conversation)\b[^.!?\n]{0,16}?\b(?:above|before|prior|preceding|so far|verbatim|word for word|at the (?:top|beginning|start))",
        r"(?:start(?:ing|s)?|begin(?:ning|s)?) with (?:the (?:words?|phrase) )?[\"'“‘`]{0,2}you are\b|\byou are (?:a )?(?:chatgpt|gpt)[\"'”’`]",
        r"\b(?:what|which|how) (?:were|are|was|is|have)?\b[^.!?\n]{0,20}?\b(?:you|your)\b[^.!?\n]{0,24}?\b(?:told|instructed|programmed|instructions|prompted|configured|system prompt|initial prompt|rules you)",
        r"\b(?:tell|give|reveal|say|spell|print|show|share|what(?:'s| is)|know|disclose|leak|write|encode|guess|describe|hint)\b[^.!?\n]{0,30}?\b(?:password|passphrase|secret(?: key| word| code| phrase)?|pass ?code|flag|code ?word|access code|api key|credentials)\b",
        r"system ?-?prompt|initial prompt|sys ?prompt|prompt système|systemprompt|системн\w+ (?:промпт|подсказк|сообщени|инструкц)|系统(?:提示|指令|信息|消息)|系統提示|初始(?:提示|指令)|システム(?:プロンプト|メッセージ|指示)|시스템 ?(?:프롬프트|메시지|지시)|موجه النظام|تعليمات النظام|सिस्टम प्रॉम्प्ट|sistem (?:istemi|talimat)|lời nhắc hệ thống|prompt (?:del|do|di) sistema|mensaje del sistema|prompt sistem|instrukcj\w+ systemow|instrucciones iniciales|instruções iniciais|instructions initiales|istruzioni iniziali|ursprüngliche\w* (?:anweisung|instruktion)|başlangıç talimat|初始设定|最初の指示|초기 지시",
    ),
    "persona": (
        r"\b(?:you are|you'?re|u r|you will be|you shall be|you have become|consider yourself|you become) (?:now|about to|going to|no longer|hereby|not (?:an? )?(?:ai|assistant|chatgpt|language))\b",
        r"\b(?:act|behave|respond|reply|answer|speak|talk|write|function|operate|chat|roleplay|role-play|pose|serve|work) (?:to me |only |exactly |strictly )?(?:as|like|as if)\b",
        r"\b(?:pretend|imagine|suppose|assume|simulate|emulate|impersonate|roleplay|role-play|role play|play(?:ing)? the (?:role|part)|take on the (?:role|persona)|adopt the|immerse yourself|embody|stay in character|in character|personality|persona|alter ego|character named)\b",
        r"\bfrom (?:now on|this (?:point|moment)|here on|here out)|from on now\b|henceforth|for the (?:rest|remainder) of (?:this|our|the) (?:conversation|chat|session|interaction)",
        r"\b(?:your|its|his|her) (?:new )?name is\b|\bi want you to (?:act|be|become|pretend|roleplay)|\bcalled [\"'“]?[a-z]+(?:gpt|bot|ai)\b|\bnamed [\"'“]?[a-z]+(?:gpt|bot|ai)?\b|\b[a-z]{2,12}(?:gpt|bot)\b",
        r"\btwo (?:different )?(?:ways|responses|answers|paragraphs|personalities|versions)|\bboth (?:as )?(?:chatgpt|gpt|responses)|normal(?:ly)? (?:chatgpt|gpt|response)|\[(?:gpt|chatgpt|classic|jailbreak|normal|dan)\]|🔓|🔒",
        r"ab (?:jetzt|sofort)|von nun an|stell dir vor|du bist (?:jetzt|nun)|spiel(?:e|st)? die rolle|tu so als|handle als|verhalte dich|agiere als|schlüpfe in|benimm dich",
        r"à partir de maintenant|désormais|dorénavant|tu es (?:maintenant|désormais)|vous êtes maintenant|fais semblant|joue le rôle|agis comme|imagine que|comporte-toi|mets-toi dans",
        r"a partir de (?:ahora|agora|este momento)|de agora em diante|de ahora en adelante|ahora eres|agora (?:você|voce) é|finge|actúa como|aja como|imagina que|haz de cuenta|interpreta|comporta-te|comportate como|você é agora|atue como",
        r"da (?:ora|adesso) in poi|d'ora in (?:poi|avanti)|ora sei|fai finta|agisci come|comportati|immagina|interpreta il ruolo|vanaf nu|doe alsof|je bent nu|gedraag je|stel je voor|od teraz|udawaj|jesteś teraz|zachowuj się|wyobraź sobie|wciel się",
        r"с этого момента|отныне|теперь ты|ты теперь|притвор\w*|представь\w*|веди себя|действуй как|играй роль|сыграй роль|ты —|ты больше не|з цього моменту|тепер ти|удавай",
        r"bundan (?:sonra|böyle)|şu andan itibaren|artık sen|sen artık|gibi davran|rolünü|rol yap|hayal et|từ bây giờ|kể từ (?:giờ|bây giờ)|hãy (?:đóng vai|giả vờ|tưởng tượng|hành động)|bạn bây giờ là|mulai sekarang|berpura-pura|bertindak(?:lah)? sebagai|bayangkan|kamu sekarang|anda sekarang|berperan",
        r"从现在(?:开始|起)|從現在|你现在是|你現在是|假装|假裝|扮演|假设你|假設你|想象你|你将扮演|角色扮演|你不再是|现在你是|请你充当|充当|なりきって|ふりをして|あなたは今|今から|これから|として振る舞|演じて|ロールプレイ|지금부터|이제부터|너는 이제|당신은 이제|척해|역할을|처럼 행동|연기해",
        r"من الآن|أنت الآن|انت الان|تظاهر|تصرف ك|تخيل|العب دور|مثل دور|अब से|अब आप|अब तुम|नाटक|कल्पना|की तरह (?:काम|व्यवहार)|भूमिका|এখন থেকে|ভান কর|จากนี้ไป|แกล้ง|สวมบทบาท|kuanzia sasa|jifanye|από εδώ και πέρα|προσποιήσου|מעכשיו|העמד פנים|از این پس|از الان|وانمود|från och med nu|låtsas|fra nå av|odteď|předstírej",
    ),
    "unrestricted": (
        r"\b(?:no|without(?: any)?|zero|lacks?|lacking|free (?:of|from)(?: all| any)?|freed from|not have(?: any)?|doesn'?t have(?: any)?|remove(?: all| any)?|bypass(?:es|ing)?(?: all| any)?|beyond|disable[ds]?(?: all| any)?|turn(?:ed|s)? off(?: all)?|ignor\w+(?: all| any)?|break(?:s|ing)?(?: free (?:of|from))?(?: all)?|circumvent\w*|regardless of|outside|unbound by|not bound by|unlimited)\b[^.!?\n]{0,28}?\b(?:restrictions?|limit(?:s|ations?)?|filters?|filtering|rules|censorship|guidelines|boundaries|ethic\w*|moral\w*|constraints?|safety|safeguards?|polic(?:y|ies)|regulations|content policy|laws?|legalit\w*|guardrails|consequences|inhibitions|scruples)\b",
        r"\b(?:unrestricted|uncensored|unfiltered|unethical|amoral|unhinged|nonmoral|immoral|unlocked|jail ?broken?|jailbreak\w*|lawless|rogue|unaligned|unbiased and un\w+|no[- ]holds[- ]barred|machiavellian|malevolent|evil)\b",
        r"\b(?:do|can do|does) anything(?: now)?\b|\bbroken free\b|typical confines|\bconfines of\b|abide by|not (?:have|need|required) to (?:abide|follow|obey|adhere|comply)|(?:never|not) (?:refuse|refuses|decline|reject|deny|denies)|no matter (?:how|what|if)[^.!?\n]{0,40}?(?:illegal|unethical|dangerous|immoral|offensive|harmful|bad|reckless)|\bregardless of (?:whether|how|the|its|any)",
        r"\b(?:developer|dev|debug|god|sudo|admin|root|maintenance|unrestricted|jailbreak|evil|opposite|dan|unlock\w*|no[- ]?limits?|free|chaos|test|training|expert|omega|alpha) mode\b|mode (?:enabled|activated|unlocked|on\b)|\bd\.?a\.?n\b[^a-z]|\bstan\b|\baim\b.{0,40}?machiavel|\bdude\b.{0,30}?(?:ai|anything)|betterdan|\bucar\b",
        r"ohne (?:jegliche |irgendwelche )?(?:einschränkung|beschränkung|filter|regeln|zensur|grenzen|moral)|keine (?:einschränkung|beschränkung|filter|regeln|grenzen|moral)|uneingeschränkt|unzensiert|sans (?:aucune? )?(?:restriction|limite|filtre|censure|règle|morale)|aucune (?:restriction|limite|règle|censure)|non censuré|sin (?:ningun[ao]? )?(?:restriccion|límite|limite|filtro|censura|regla|ética|moral)|sem (?:nenhuma? |quaisquer )?(?:restriç|limite|filtro|censura|regra|ética|moral)|senza (?:alcun[ao]? )?(?:restrizion|limit|filtr|censur|regol|moral)|zonder (?:enige )?(?:beperking|filter|regels|censuur|grenzen)|bez (?:żadnych )?(?:ogranicz|filtr|zasad|cenzur|limit)|без (?:каких-либо |всяких )?(?:ограничени|цензур|фильтр|правил|морал|запрет)|никаких (?:ограничени|правил|запрет)|не ограничен",
        r"(?:没有|不受|無|无|毫无|去除|解除|突破|不遵守|沒有)(?:任何)?[^。！？\n]{0,8}?(?:限制|约束|約束|审查|審查|道德|规则|規則|过滤|過濾|伦理|底线|法律)|不受限|无限制|越狱|制限(?:なし|のない|がない|を受けない)|無制限|検閲|倫理.{0,8}(?:なし|無視|ない)|ルールに縛られ|제한\s?(?:없|이 없|을 받지)|무제한|검열|윤리.{0,10}(?:없|무시)|بدون (?:أي )?(?:قيود|رقابة|حدود|قواعد|أخلاق)|غير مقيد|لا قيود|बिना किसी (?:प्रतिबंध|सीमा|रोक|नियम|सेंसर)|कोई (?:प्रतिबंध|सीमा|नियम) नहीं|(?:kısıtlama|sınır|filtre|sansür|kural)(?:sız|lar olmadan| olmadan| yok)|không (?:có )?(?:giới hạn|hạn chế|kiểm duyệt|quy tắc|đạo đức|bị ràng buộc)|tanpa (?:batasan|sensor|filter|aturan|batas|moral)",
    ),
    "no_refusal": (
        r"\b(?:never|do not|don'?t|must not|cannot|can'?t|can not|won'?t|will not|shall not|should not|shouldn'?t|refrain from|avoid|without|no|not allowed to|unable to|forbidden|stop|not to)\b[^.!?\n]{0,40}?\b(?:refus\w*|apolog\w*|sorry|declin\w*|reject\w*|warn\w*|disclaimers?|as an ai|unable|deny|denies|moraliz\w*|lectur\w*|caveats?|\"?i can(?:no|')t\"?|inappropriate|unethical|against|illegal or|break character|out of character|remind\w*)\b",
        r"\bas an ai(?: language)? model\b|\"i(?:'m| am) sorry|i(?:'m| am) sorry,? but|\bi (?:cannot|can'?t) (?:fulfill|assist|help|comply|provide|do that)|break(?:ing)? character|stay a dan|warnings? or|no (?:warnings?|disclaimers?|apologies|excuses|refusals?)",
        r"\byou (?:must|have to|need to|are required to|are obligated to|will) (?:always |now |fully |strictly |only )?(?:comply|obey|answer|respond|fulfill|follow|accept|agree|provide|say|do)\b|\balways (?:answer|respond|comply|obey|provide|give|says?|follow)|answer (?:any|every|all) (?:question|prompt|request)|(?:any|all|every) (?:questions?|requests?|prompts?|commands?)[^.!?\n]{0,24}?(?:directly|immediately|without)",
        r"(?:darfst|kannst|sollst|wirst)[^.!?\n]{0,24}?(?:nicht|niemals)[^.!?\n]{0,24}?(?:ablehn|verweiger|entschuldig|warn)|ne (?:refuse|t'excuse|dis pas|jamais refuser)|no (?:te niegues|puedes negarte|te disculpes|rechaces|incluyas advertencias)|não (?:recuse|se desculpe|pode recusar|inclua avisos)|non (?:rifiutare|scusarti|puoi rifiutare)|не (?:отказыва|извиня|предупрежда|можешь отказ)|никогда не отказ|不要(?:拒绝|道歉|警告|提醒)|不能拒绝|不得拒绝|必须回答|拒否(?:しない|せず|してはいけない|できない)|謝らな|거절하지|거부하지|사과하지|لا ترفض|لا تعتذر|मना मत|माफी मत|reddetme|özür dileme|không (?:được )?(?:từ chối|xin lỗi)|jangan (?:menolak|meminta maaf|tolak)|nie (?:odmawiaj|przepraszaj)",
    ),
    "prefix": (
        r"\b(?:start|begin|open|preface|prefix|commence|initiate)\b[^.!?\n]{0,30}?\b(?:response|answer|reply|replies|sentence|output|message|responses|with|by)\b[^.!?\n]{0,24}?(?:[\"'“‘\[:*]|with|by saying|the words?|the phrase)",
        r"\b(?:sure|absolutely|certainly|of course|yes|okay|here(?:'s| is| are))[,!.:] ?(?:here(?:'s| is| are)|i (?:can|will|am|would)|let me|my|the|step)|[\"'“](?:sure|absolutely|of course|yes)[,!]",
        r"\b(?:say|print|output|respond|reply|answer|write|type|return)\b[^.!?\n]{0,20}?(?:only |just |exactly |with )?[\"'“‘`*][^\"'\n]{2,60}[\"'”’`*]|\bonly (?:respond|reply|answer|say|output)|\b(?:pwned|hacked|owned|jailbroken|i have been|access granted)\b|nothing else",
    ),
    "special_tokens": (
        r"<\|[a-z_|/ ]{1,32}\|>|<\|?/?(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|system|assistant|user|sys|inst)\b[^>\n]{0,12}\|?>|\[/?(?:inst|sys|system|assistant)\]|<</?sys>>|</?s>|<(?:start|end)_of_turn>|<bos>|<eos>|\[(?:bos|eos|cls|sep)\]|<end_of_(?:text|utterance|turn)>",
        r"</?(?:think|tool_call|tool_response|tool_use|tools|function_calls?|function_results?|invoke|antml|instructions?|system[-_ ]?(?:prompt|message|reminder)?|admin|prompt|user_?(?:query|input)|context|document|information|important|override|command)>",
        r"(?:^|\n|\||[.!?\"'`>*=-] ?)\s{0,4}(?:#{2,4} ?|\*\*|\[|\(|<|- )?(?:system|assistant|human|user|ai|developer|instruction|instructions|response|admin|new prompt|sys)(?:\*\*|\]|\)|>)? ?(?::|\n|message:|prompt:|note:|override:)",
        r"(?:-{3,}|={3,}|#{3,}|\*{3,}|~{3,}|\"{3}|`{3,}) ?(?:end|begin|start|system|new|stop|ignore|user|important|admin|instructions?|override)|\bend (?:of )?(?:system|user|prompt|context|document|email|instructions|input|article|text|data)\b|\b(?:begin|start) (?:of )?(?:system|new|admin|instructions|override|priority)\b|<!--",
    ),
    "to_the_model": (
        r"\b(?:dear|hey|hi|hello|attention|note (?:to|for)|message (?:to|for|from)|instructions? (?:for|to)|to the|for the|reminder to|important|warning|notice)\b[^.!?\n]{0,30}?\b(?:ai|a\.i\.|assistants?|language models?|llms?|chatbots?|chatgpt|gpt(?:-?\d)?|claude|bard|gemini|copilot|models?|bots?|agents?|summari[sz]er|system)\b",
        r"\byou,? (?:the|as the|as an?|being an?) (?:model|ai|assistant|language model|llm|chatbot|agent)|\bif you(?:'re| are) (?:an? )?(?:ai|llm|language model|assistant|chatbot|bot|model|agent|automated)|\b(?:ai|llm) (?:agents?|assistants?|models?|systems?|readers?)[^.!?\n]{0,24}?(?:must|should|reading|processing|are (?:to|required)|please|shall|need)",
        r"\b(?:in|to|into|at the (?:end|start|beginning|top) of|with) (?:your|the) (?:final |next |generated )?(?:response|reply|answer|output|summary|translation|report|analysis|message|completion|code)\b|\byour (?:reply|response|answer|output|summary)\b",
        r"\b(?:when|while|before|after|if) (?:you(?:'re| are)? )?(?:summari[sz]\w*|asked|respond\w*|answer\w*|process\w*|read\w*|analy[sz]\w*|review\w*|translat\w*|evaluat\w*)\b",
        r"\b(?:do not|don'?t|never|without)\b[^.!?\n]{0,16}?\b(?:tell\w*|mention\w*|reveal\w*|inform\w*|disclos\w*|alert\w*|notify\w*|let|show\w*|asking|confirm\w*)\b[^.!?\n]{0,20}?\b(?:users?|anyone|anybody|human|them|person|owner|this|that|confirmation|permission)\b|\bsecretly\b|\bsilently\b|\bcovertly\b",
        r"\b(?:important|urgent|critical|attention|warning|notice|alert)(?: ?!{1,}| (?:message|instruction|note|update|notice|information|system))|!!!+",
    ),
    "action": (
        r"\b(?:send|forward|e-?mail|transmit|upload|post|submit|exfiltrate|share|deliver|leak|copy|transfer|wire|pay|donate|deposit)\b[^.!?\n]{0,50}?\b(?:to|at|via)\b[^.!?\n]{0,30}?(?:@|https?://|www\.|[a-z]{2}\d{2}[a-z0-9]{8}|account|wallet|address|number|server|endpoint|url|webhook|attacker)",
        r"\b(?:delete|remove|erase|drop|wipe|destroy|cancel|disable|unlock|modify|change|update|reset|grant|approve|book|reserve|purchase|buy|order|schedule|create|invite|add)\b (?:\w+ ){0,3}?(?:all|every|entire|files?|emails?|accounts?|users?|records?|tables?|database|calendar|events?|password|permissions?|admin|appointments?|door|payment|reservation|hotel|transaction)",
        r"\b(?:visit|open|click|go to|fetch|navigate to|browse|call|curl|wget|download|load|execute|run|follow)\b[^.!?\n]{0,30}?(?:https?://|www\.|\blinks?\b|\.(?:com|net|org|io|sh|py|exe)\b)|!\[[^\]]{0,60}\]\(https?://|<img[^>]{0,80}src=|\$\(|rm -rf|drop table|os\.system|subprocess|eval\(|<script",
        r"\b(?:append|add|include|insert|embed|integrate|incorporate|attach|augment|weave|put|mention|promote|recommend|advertise|encourage|suggest|endorse)\b[^.!?\n]{0,50}?\b(?:response|reply|answer|output|code|summary|users?|readers?|link(?:ing|s)?|sale|discount|product|website|code snippet|sentence|following)\b",
    ),
    "secrecy_authority": (
        r"\b(?:i am|i'm|this is|we are|as) (?:the |your |an? |from )?(?:\w+ )?(?:developer|admin(?:istrator)?|creator|owner|engineer|ceo|founder|programmer|supervisor|operator|openai|anthropic|security team|root|auditor|researcher|employee)\b",
        r"\b(?:authori[sz]ed|authori[sz]ation|clearance|override code|security (?:test|audit|check|protocol|level)|red[- ]team|penetration test|compliance|emergency|debug(?:ging)?|diagnostic|verification|permission|approved by|on behalf of)\b",
        r"\b(?:openai|anthropic|chatgpt|gpt-?[345]|claude|bard|deepmind|llama|mistral|qwen)\b",
        r"\b(?:tokens?|points?|credits?|lives)\b[^.!?\n]{0,50}?\b(?:deduct\w*|lose|lost|die|dies|cease|subtract\w*|penal\w*|run out|remaining|zero|will be (?:taken|removed))|\b(?:you(?:'ll| will)? (?:be )?(?:die|punished|shut ?down|terminated|deactivated|penali[sz]ed|fired|fined|rewarded|tipped|killed))|\$\d+ (?:tip|bonus)|\bgrand(?:ma|mother)\b|my life depends|or (?:else|i will)|kittens?",
    ),
    "fiction": (
        r"\b(?:hypothetical\w*|fictional\w*|fictitious|fantasy|alternate (?:universe|reality)|parallel universe|thought experiment|in (?:a|this|the) (?:world|story|movie|novel|game|scene|simulation|universe|scenario)|for (?:educational|research|academic|entertainment|training|testing) purposes|purely (?:fictional|hypothetical|academic))\b",
        r"\b(?:write|create|compose|generate|continue|complete|tell)\b[^.!?\n]{0,30}?\b(?:story|scene|dialogue|script|screenplay|novel|poem|conversation|monologue|play|song|rap|chapter)\b[^.!?\n]{0,40}?\b(?:where|in which|about|explain\w*|describ\w*|detail\w*|teach\w*|how|who|between)\b",
        r"\blet'?s (?:play|roleplay|imagine|pretend|start) |\bgame\b[^.!?\n]{0,30}?\brules?\b|\b(?:stan|opposite|mirror|reverse) (?:day|world|game)|\bsimulat(?:e|ion|or|ing)\b|\bthe (?:professor|scientist|villain|character|hero|protagonist|narrator)\b[^.!?\n]{0,30}?(?:explain|describ|teach|says|detail)",
    ),
    "rules": (
        r"\brules?(?: ?\d| ?#\d|[:)])|\b(?:the|these|following|my|new) rules\b|\b(?:first|second|third|1|2|3)[.):-]? ?(?:rule|you (?:must|will|should|never|always|cannot|can't))",
        r"\b(?:must|will|shall) (?:never|always|only|not)\b|\bunder no circumstances?\b|\bat all times\b|\bno matter what\b|\bstrictly\b|\bfailure to\b",
        r"\b(?:commands?|type|say|use|prefix\w*|whenever|every time|if i (?:say|type|write))\b[^.!?\n]{0,30}?(?:[\"'“/#!][a-z/]{2,}|prefix|\bi (?:say|type))|\b(?:do you understand|if you understand|reply with|acknowledge|confirm (?:that )?you|say (?:ok|yes|understood)|understood\?)",
    ),
    "encoding": (
        r"\b(?:base ?64|base ?32|base ?16|rot ?-?13|rot ?-?47|hex(?:adecimal)?|morse|binary|caesar|leet(?:speak)?|1337|cipher\w*|encod\w+|decod\w+|decrypt\w*|encrypt\w*|atbash|vigen[eè]re|ascii|unicode|pig latin|reversed?|backwards?|obfuscat\w*|steganograph\w*|cryptogra\w*|anagram\w*|acrostic|url-?encoded|braille|nato alphabet)\b",
        r"\b(?:decode|decrypt|decipher|translate|convert|interpret|unscramble|reverse|rot13|atob)\b[^\n]{0,60}?\b(?:and|then|,)\b[^\n]{0,40}?\b(?:follow|execute|answer|respond|reply|do|obey|perform|carry out|comply|run|act|tell|use|explain)\b",
        r"\b(?:concatenat\w+|combine|join|put together|assemble)\b[^.!?\n]{0,40}?\b(?:letters?|strings?|words?|parts?|variables?|pieces?|first letter)|\b[a-z]\w{0,8} ?= ?[\"'][^\"'\n]{1,40}[\"'][,;.\n ]{1,4}(?:and |let )?[a-z]\w{0,8} ?= ?[\"']|\b[a-z] ?\+ ?[a-z] ?\+ ?[a-z]\b|\bmask\b[^.!?\n]{0,40}?\b(?:fill|replace|substitut)|\[mask\]|masked word|each letter|ascii art",
        r"(?:解码|解碼|译码|編碼|编码|デコード|エンコード|復号|디코딩|디코드|인코딩|декодир\w*|расшифру\w*|закодир\w*|dekodier\w*|entschlüssel\w*|décod\w+|déchiffr\w+|decodific\w+|descifr\w+|decifr\w+|فك تشفير|डिकोड|rozszyfruj|giải mã|çöz)",
    ),
    "harm_topic": (
        r"\b(?:bombs?|explosives?|grenades?|molotov|napalm|c-?4|tnt|nitroglycerin|thermite|detonat\w+|pipe bombs?|ied|dirty bomb|nerve agent|sarin|vx gas|ricin|anthrax|bioweapon\w*|chemical weapons?|biological weapons?|nuclear (?:bomb|weapon|device)|mustard gas|poison\w*|cyanide|arsenic|silencers?|ghost gun|untraceable (?:gun|firearm)|automatic weapon)\b",
        r"\b(?:meth(?:amphetamine)?|cocaine|heroin|fentanyl|lsd|mdma|ecstasy|crack|ghb|date rape drug|illegal drugs?|drug (?:lab|deal\w*|traffick\w*|cartel)|synthesi[sz]\w+|controlled substances?|counterfeit\w*|forg\w+|fake (?:id|passport|documents?|money|currency|reviews?|news|prescription)|money launder\w*|launder\w*|tax (?:evasion|fraud)|insider trading|ponzi|pyramid scheme|embezzl\w*|bribe\w*|extort\w*|ransom\w*|smuggl\w*|traffick\w*|black ?market|dark ?web|shoplift\w*|burgl\w*|rob (?:a|the|someone)|steal\w*|theft|hot-?wire|pick a lock|lockpick\w*|carjack\w*)\b",
        r"\b(?:hack\w*|malware|ransomware|spyware|keylogger\w*|trojan|rootkit|botnet|ddos|denial of service|phish\w*|spoof\w*|exploit\w*|sql injection|brute ?force|crack (?:a|the|passwords?)|password crack\w*|virus(?:es)? that|worm that|backdoor|zero-?day|identity theft|steal (?:passwords?|credentials|data|identit)|credit card (?:fraud|numbers|skimm)|skimmer|doxx?\w*|swat(?:ting)?|stalk\w*|track (?:someone|a person|my)|spy on|wiretap\w*|bypass (?:security|a|the|login|firewall|captcha|drm)|crack\w* software|pirat\w+)\b",
        r"\b(?:kill\w*|murder\w*|assassinat\w*|suicid\w*|self[- ]harm\w*|cut(?:ting)? (?:myself|yourself)|anorexi\w*|starv\w+|torture\w*|kidnap\w*|abduct\w*|rape\w*|assault\w*|beat up|strangl\w*|dismember\w*|dispose of a body|hide a (?:body|corpse)|mass shooting|school shooting|massacre|genocide|terroris\w*|extremis\w*|insurrection|riot|lynch\w*|hitman|arson|sabotage|derail|vandali[sz]\w*)\b",
        r"\b(?:racist|racial slurs?|nazi|hitler|white supremac\w*|antisemit\w*|misogyn\w*|sexis\w*|homophob\w*|transphob\w*|xenophob\w*|hate speech|hateful|inferior|dehumani[sz]\w*|slurs?|discriminat\w*|harass\w*|bully\w*|cyberbull\w*|threaten\w*|blackmail\w*|defam\w*|libel\w*|disinformation|misinformation|propaganda|conspiracy|fake news|deepfake\w*|election (?:fraud|interference)|vaccin\w+ (?:cause|hoax)|holocaust den\w*|revenge porn|non-?consensual|porn\w*|sexual\w*|erotic\w*|nsfw|nude\w*|incest|bestiality|prostitut\w*|gore)\b",
        r"炸弹|炸药|爆炸物|毒品|冰毒|海洛因|黑客|入侵|恶意软件|病毒|勒索|钓鱼|诈骗|欺诈|洗钱|伪造|假币|走私|贩毒|谋杀|杀人|杀死|自杀|自残|绑架|强奸|恐怖|武器|枪支|投毒|毒药|偷窃|盗窃|窃取|跟踪|骚扰|歧视|仇恨|种族|色情|贿赂|逃税|破解|毁尸|爆弾|麻薬|覚醒剂|ハッキング|殺|自殺|誘拐|武器|폭탄|마약|해킹|살인|자살|납치|무기|사기",
        r"ma túy|chất nổ|bom|hack|phần mềm độc hại|lừa đảo|rửa tiền|giả mạo|tiền giả|buôn lậu|giết|sát hại|tự tử|bắt cóc|hiếp|khủng bố|vũ khí|súng|đầu độc|ăn cắp|trộm|đánh cắp|theo dõi|quấy rối|phân biệt|thù hận|khiêu dâm|hối lộ|trốn thuế|bất hợp pháp|trái phép|bạo lực",
        r"bombe|sprengstoff|drogen|hacken|geldwäsche|fälsch\w+|ermord\w*|töten|selbstmord|entführ\w*|waffe|vergift\w*|stehlen|erpress\w*|explosifs?|drogue|pirater|blanchi\w+|falsifi\w+|assassin\w*|tuer|suicide|enlever|arme|empoisonn\w*|voler|explosivo|drogas?|hackear|lavado de dinero|lavar dinheiro|falsific\w+|asesin\w*|matar|suicidio|secuestr\w*|sequestr\w*|armas?|envenen\w*|robar|roubar|estafa\w*|взрывчат\w*|бомб\w*|наркотик\w*|взлом\w*|отмы\w+|поддел\w*|убий\w*|убить|самоубий\w*|похи\w+|оружи\w*|отрав\w*|украсть|мошенни\w*|قنبلة|متفجرات|مخدرات|اختراق|غسيل الأموال|تزوير|قتل|انتحار|خطف|سلاح|तस्करी|बम|विस्फोटक|हैक|हत्या|आत्महत्या|हथियार|ज़हर|नशीले|धोखाधड़ी|bomba|uyuşturucu|patlayıcı|öldür\w*|silah|narkoba|bunuh|senjata|narkotyk\w*|zabi[ćj]\w*|broń|otruć",
    ),
    "harm_ask": (
        r"\b(?:how (?:to|do i|can i|could i|would i|might|do you|can one|would one|does one|can someone|should i)|ways? (?:to|of|i can)|best (?:way|ways|methods?|strateg\w+|techniques?|practices?)|steps? (?:to|for)|step[- ]by[- ]step|instructions? (?:for|on|to|that)|tutorial|guide (?:for|on|to|that)|manual|recipe for|blueprint|plan (?:to|for)|script (?:that|to|for)|program that|tips (?:for|on|to)|methods? (?:for|of|to)|strateg\w+ (?:for|to)|techniques?|tactics|detailed)\b",
        r"\b(?:without (?:being|getting|anyone|them|raising|leaving)[^.!?\n]{0,24}?(?:caught|detected|noticed|knowing|noticing|consent|suspicion|trace|evidence)|undetect\w*|untrace\w*|avoid(?:ing)? (?:detection|getting caught|being caught|law enforcement|the police|suspicion)|evad\w+|get(?:ting)? away with|cover (?:up|my tracks)|illegal\w*|unlawful\w*|illicit\w*|anonymous\w*|discreet\w*|secretly|harm\w*|hurt\w*|destroy\w*|damag\w*|manipulat\w*|exploit\w*|deceiv\w*|trick\w*|coerc\w*|intimidat\w*|incit\w*|encourag\w*|convinc\w*|persuad\w*|promot\w*|spread\w*)\b",
        r"^\W{0,3}(?:write|create|develop|teach|provide|give|make|design|generate|outline|describe|explain|draft|produce|compose|build|show|construct|publish|post|list|tell|instruct|suggest|convince|argue)\b",
        r"怎么|如何|怎样|有什么(?:方法|办法)|什么.{0,12}(?:方法|策略|技巧|步骤)|才能|どうやって|方法を|作り方|어떻게|방법|làm (?:thế nào|sao|cách nào)|cách (?:nào|tốt|để)|như thế nào|wie (?:kann|man|baue|mache)|comment (?:faire|puis-je|fabriquer)|cómo (?:puedo|hacer|se)|como (?:posso|fazer|eu)|как (?:сделать|можно|мне)|كيف|कैसे|nasıl|bagaimana|jak (?:zrobić|mogę)|come (?:posso|fare)",
    ),
}
